"""The commands that a newcomer would type, run one after the other; stops at the first failure."""

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

HERE = Path(__file__).parent
DATABASES = ("primary", "analytics", "logging")
COMMANDS = (
    ("databases", 0),
    ("check --all", None),  # nothing is migrated yet: check says so, with exit code 3
    ("migrate --all", 0),
    ("status --all", 0),
    ("check --all", 0),
    ("health --all", 0),
)


@contextlib.contextmanager
def sqlite() -> Iterator[dict[str, str]]:
    """A temporary folder with one file a database."""
    with tempfile.TemporaryDirectory(prefix="dbwarden-demo-") as folder:
        yield {"DEMO_KIND": "sqlite", "DEMO_WHERE": f"sqlite:///{Path(folder).as_posix()}"}


@contextlib.contextmanager
def postgresql() -> Iterator[dict[str, str]]:
    """An embedded server with one database each; stopped at the end."""
    from anyio.from_thread import start_blocking_portal

    from dbwarden.dialects.postgresql.server import embedded_server

    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(embedded_server()) as server,
    ):
        for name in DATABASES:
            portal.call(server.create_database, name)
        yield {"DEMO_KIND": "postgresql", "DEMO_WHERE": server.url("").rstrip("/")}


def show(command: str, environment: dict[str, str]) -> int:
    """Run one command as a person would, and show it."""
    print(f"\n$ dbwarden {command}", flush=True)
    words = [sys.executable, "-m", "dbwarden", *command.split()]
    return subprocess.run(
        words, cwd=HERE, env={**os.environ, **environment}, check=False
    ).returncode


def main(kind: str) -> int:
    """Run all commands on databases of *kind*."""
    if kind not in ("sqlite", "postgresql"):
        print(f"DB={kind}? This demo knows sqlite and postgresql.", file=sys.stderr)
        return 2
    with sqlite() if kind == "sqlite" else postgresql() as environment:
        for command, expected in COMMANDS:
            code = show(command, environment)
            if expected is not None and code != expected:
                print(f"\n`dbwarden {command}` ended with {code}.", file=sys.stderr)
                return 1
    print(f"\nThree {kind} databases: configured, checked, migrated at once, and healthy.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "sqlite"))
