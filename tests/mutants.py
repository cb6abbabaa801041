"""Plant faults in copies of src and check that the tests catch each. Run by `make mutants`.

A mutant that survives means that a promise of the code is not tested. The work tree is never
touched: each mutant is planted into a temporary copy of src, which comes first on PYTHONPATH.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One fault: a text of a file in src, its replacement, and the tests that should fail."""

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]


MUTANTS = (
    Mutant(
        name="locks of earlier statements forgotten by lint",
        file="dialects/postgresql/scratch/observing.py",
        old="            held=strongest(modes),\n",
        new="            held=strongest(new_modes),\n",
        tests=("tests/integration/lint/test_observing.py",),
    ),
    Mutant(
        name="no lock around reading, planning and running",
        file="operations/migrate.py",
        old="        async with self.connection.lock():\n",
        new="        if self.connection:\n",
        tests=(
            "tests/integration/running/test_lock_read_plan_write.py"
            "::test_a_migrate_applies_the_remaining_migrations",
        ),
    ),
    Mutant(
        name="an UPDATE of the history that does not name the state that was read",
        file="dialects/ledger_rows.py",
        old='f"id = {row.id} AND state = {self.literal(row.state.value)} AND step = {row.step}"\n'
        '            f" AND running {running}"',
        new='f"id = {row.id}"',
        tests=(
            "tests/integration/running/test_lock_read_plan_write.py",
            "tests/integration/sqlite/test_running.py",
        ),
    ),
    Mutant(
        name="no shield around a thread that runs the project's code",
        file="config/threads.py",
        old="anyio.CancelScope(shield=True)",
        new="anyio.CancelScope(shield=False)",
        tests=("tests/unit/config/test_threads.py",),
    ),
    Mutant(
        name="two edges of the order of changes swapped",
        file="diff/order.py",
        old="                    graph.before(number, other)  # a temporary name, released later\n"
        "                else:\n                    graph.before(other, number)\n",
        new="                    graph.before(other, number)\n"
        "                else:\n                    graph.before(number, other)\n",
        tests=("tests/unit/diff/test_diff.py", "tests/unit/diff/test_renames.py"),
    ),
    Mutant(
        name="no lock on the cursor of a backfill",
        file="dialects/postgresql/backfill/store.py",
        old='        tail = " FOR UPDATE" if lock else ""\n',
        new='        tail = ""\n',
        tests=("tests/integration/backfills/test_running.py::test_two_runners_share_a_backfill",),
    ),
    Mutant(
        name="a kill that is not sent",
        file="dialects/postgresql/migrate/session.py",
        old='f"SELECT pg_terminate_backend({self.backend_pid})"',
        new='f"SELECT {self.backend_pid}"',
        tests=(
            "tests/integration/postgresql/test_cancelling.py"
            "::test_a_server_that_ignores_the_cancel_request_is_left_by_ending_the_session",
        ),
    ),
    Mutant(
        name="a server's limit that each worker has for itself",
        file="fleet/workers/lots.py",
        old="            limits.per_server - used[server],\n",
        new="            limits.per_server,\n",
        tests=("tests/unit/fleet/workers/test_lots.py",),
    ),
    Mutant(
        name="a rollback that another worker repeats",
        file="fleet/workers/coordinating.py",
        old="if stopped_by is None and not lot.work.repeatable:",
        new="if stopped_by is None and lot.work is None:",
        tests=("tests/unit/fleet/workers/test_coordinating.py",),
    ),
    Mutant(
        name="a stop that the workers never hear of",
        file="fleet/workers/coordinating.py",
        old='await self.cluster.stop(self.record.stopped_by or "")',
        new="await anyio.sleep(0)",
        tests=(
            "tests/integration/workers/test_processes.py::test_a_stop_ends_the_work_on_the_servers",
        ),
    ),
)


def planted(mutant: Mutant | None, folder: Path) -> Path:
    """Copy src into *folder* and plant *mutant*.

    Raises:
        SystemExit: Its text is not there, or more than once: the mutant has to follow the code.
    """
    source = folder / "src"
    shutil.copytree(ROOT / "src", source, ignore=shutil.ignore_patterns("__pycache__"))
    if mutant is not None:
        path = source / "dbwarden" / mutant.file
        text = path.read_text(encoding="utf-8")
        if (count := text.count(mutant.old)) != 1:
            raise SystemExit(
                f"error: {mutant.name}: its text is {count} times in {mutant.file}, and must be "
                "there once\n  next: Correct the mutant in tests/mutants.py."
            )
        path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    return source


def run_tests(source: Path, tests: tuple[str, ...]) -> list[str]:
    """Return the tests that fail with the package in *source*.

    Raises:
        SystemExit: Python does not take the package from *source*, or pytest cannot run.
    """
    environment = {**os.environ, "PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"}
    where = [sys.executable, "-c", "import dbwarden; print(dbwarden.__file__)"]
    found = subprocess.run(where, env=environment, capture_output=True, text=True, check=True)
    if not found.stdout.startswith(str(source)):
        raise SystemExit(f"error: dbwarden is imported from {found.stdout.strip()}")
    command = [sys.executable, "-m", "pytest", "-q", "-rfE", "-p", "no:cacheprovider", *tests]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode not in (0, 1):
        raise SystemExit(f"error: pytest ended with {done.returncode}\n{done.stdout}{done.stderr}")
    return re.findall(r"^(?:FAILED|ERROR) (\S+)", done.stdout, re.MULTILINE)


def main() -> int:
    """Run the tests without a mutant, then with each; 1 if one survives."""
    survivors = 0
    every = tuple(dict.fromkeys(test for mutant in MUTANTS for test in mutant.tests))
    for mutant in (None, *MUTANTS):
        with tempfile.TemporaryDirectory(prefix="dbwarden-mutant-") as folder:
            failed = run_tests(
                planted(mutant, Path(folder)), every if mutant is None else mutant.tests
            )
        if mutant is None:
            if failed:
                raise SystemExit("error: fails without a mutant: " + ", ".join(failed))
            continue
        survivors += not failed
        lines = [f"{'caught' if failed else 'SURVIVED'}: {mutant.name}"]
        lines += [f"    by {test}" for test in failed]
        sys.stdout.write("\n".join([*lines, ""]))
        sys.stdout.flush()
    return 1 if survivors else 0


if __name__ == "__main__":
    sys.exit(main())
