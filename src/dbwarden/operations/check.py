"""Is this database as its files say? Connectivity, pending, changed, missing, partial, lock."""

from dataclasses import dataclass

from dbwarden.config.model import DatabaseConfig
from dbwarden.planning import compare
from dbwarden.operations.status import StatusResult, describe
from dbwarden.operations.target import look, migration_files, operation
from dbwarden.types import DatabaseName


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is not as it should be: a stable ``code``, a sentence, what to do next."""

    code: str
    message: str
    next_step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """What a check found; ``clean`` when it found nothing. ``status`` has the details."""

    database: DatabaseName
    findings: tuple[Finding, ...]
    status: StatusResult

    @property
    def clean(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


@operation("check")
async def check(config: DatabaseConfig) -> CheckResult:
    """Check one database. Reads only.

    Raises:
        ConnectError: It cannot be reached.
    """
    files = await migration_files(config)
    reading = await look(config)
    found = describe(config, compare(files, reading.rows), reading)
    return CheckResult(database=config.database_name, findings=findings_of(found), status=found)


def findings_of(status: StatusResult) -> tuple[Finding, ...]:
    """What is not as it should be. A database that is ahead of the files is fine."""
    name = status.database
    rows = (
        ("pending", status.pending, f"Apply with: dbwarden migrate -d {name}"),
        (
            "changed",
            status.changed,
            "Undo the edit, or accept it with: "
            + " ".join(["dbwarden repair -d", name, *(f"--accept {k}" for k in status.changed)]),
        ),
        (
            "missing",
            status.missing,
            "Restore the file, or forget it with: "
            + " ".join(["dbwarden repair -d", name, *(f"--forget {k}" for k in status.missing)]),
        ),
        (
            "partial",
            status.partial,
            f"Resume with: dbwarden migrate -d {name} (or rollback, where a rollback stopped)",
        ),
        (
            "out_of_order",
            status.out_of_order,
            f"Apply with: dbwarden migrate -d {name} --out-of-order",
        ),
    )
    found = [
        Finding(code=code, message=_count(code, keys), next_step=next_step)
        for code, keys, next_step in rows
        if keys
    ]
    if status.lock_holder is not None:
        found.append(
            Finding(
                code="locked",
                message=f"a migrator holds this database: {status.lock_holder}",
                next_step="Wait for it to end, or look with: dbwarden lock-status",
            )
        )
    return tuple(found)


_WORDS = {
    "pending": "pending",
    "changed": "changed after it was applied",
    "missing": "applied, but its file is gone",
    "partial": "stopped half-way",
    "out_of_order": "older than what is applied already",
}


def _count(code: str, keys: tuple[str, ...]) -> str:
    shown = ", ".join(keys[:5]) + (f" and {len(keys) - 5} more" if len(keys) > 5 else "")
    return f"{len(keys)} {_WORDS[code]}: {shown}"
