"""The log of a program that uses the library."""

import subprocess
import sys
from collections.abc import Iterator

import pytest
import structlog


@pytest.fixture(autouse=True)
def as_a_library() -> Iterator[None]:
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


PROGRAM = """
import sys
{setup}
import anyio
from dbwarden import telemetry

async def main():
    with telemetry.bound(database="primary"), telemetry.step("check"):
        pass
    telemetry.emit("health", level="warning", database="primary", status="degraded")

anyio.run(main)
assert ("structlog" in sys.modules) is {loaded}
"""

OWN_STRUCTLOG = """import structlog
shown = structlog.processors.KeyValueRenderer(key_order=["event", "database"])
structlog.configure(processors=[shown])"""


@pytest.mark.parametrize(
    ("setup", "loaded", "stdout", "stderr"),
    [
        ("", False, [], ["health database=primary status=degraded"]),
        (
            "import logging; logging.basicConfig(level='INFO', "
            "format='%(levelname)s %(name)s [%(database)s] %(message)s')",
            False,
            [],
            [
                "INFO dbwarden [primary] check database=primary outcome=succeeded",
                "WARNING dbwarden [primary] health database=primary status=degraded",
            ],
        ),
        (
            "import logging; logging.getLogger('dbwarden').addHandler(logging.NullHandler())",
            False,
            [],
            [],
        ),
        (
            OWN_STRUCTLOG,
            True,
            ["event='check' database='primary'", "event='health' database='primary'"],
            [],
        ),
    ],
    ids=["nothing", "logging", "silenced", "structlog"],
)
def test_a_program_that_uses_the_library_writes_its_own_log_format(
    setup: str, loaded: bool, stdout: list[str], stderr: list[str]
) -> None:
    code = PROGRAM.format(setup=setup, loaded=loaded)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert done.returncode == 0, done.stderr
    for expected, found in ((stdout, done.stdout), (stderr, done.stderr)):
        lines = found.splitlines()
        assert len(lines) == len(expected), found
        assert all(one.startswith(two) for one, two in zip(lines, expected, strict=True)), found


def test_structlog_is_not_imported_for_events_without_a_listener() -> None:
    code = (
        "import sys\n"
        "from dbwarden import telemetry\n"
        "telemetry.configure()\n"
        "with telemetry.bound(database='a'), telemetry.step('check'): pass\n"
        "assert 'structlog' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
