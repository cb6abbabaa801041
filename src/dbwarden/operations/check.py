"""Check a database: connection, migrations that differ from their files, replica and lock."""

from dataclasses import dataclass

from dbwarden.config.model import DatabaseConfig
from dbwarden.operations.operation import operation
from dbwarden.operations.replicas import ReplicaStatus
from dbwarden.operations.status import StatusResult, status_of
from dbwarden.types import DatabaseName


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One finding of a check: a stable ``code``, a message and the next step."""

    code: str
    message: str
    next_step: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckResult:
    """The findings of a check; ``clean`` without any. ``status`` has the details."""

    database: DatabaseName
    findings: tuple[Finding, ...]
    status: StatusResult

    @property
    def clean(self) -> bool:
        """True if there are no findings."""
        return not self.findings


@operation("check")
async def check(config: DatabaseConfig) -> CheckResult:
    """Check one database. Reads only.

    Raises:
        ConnectError: It cannot be reached.
    """
    status = await status_of(config)
    return CheckResult(database=config.database_name, findings=findings_of(status), status=status)


def findings_of(status: StatusResult) -> tuple[Finding, ...]:
    """Return the findings of *status*. A database that is ahead of the files is fine."""
    replica = status.replica
    # A replica receives its migrations from its primary; missing ones are a single finding.
    name = replica.primary if replica else status.database
    behind = frozenset(replica.behind) if replica else frozenset[str]()
    rows = (
        ("pending", status.pending, f"Apply with: dbwarden migrate -d {name}"),
        (
            "changed",
            status.changed,
            f"Undo the edit and write a new migration: dbwarden new -d {name} -m '...'. Or accept "
            "it, and the edited SQL will not run: "
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
    left = [(code, tuple(k for k in keys if k not in behind), step) for code, keys, step in rows]
    findings = [
        Finding(code=code, message=_count(code, keys), next_step=next_step)
        for code, keys, next_step in left
        if keys
    ]
    findings += _replica_findings(replica) if replica else []
    if status.lock_holder is not None:
        findings.append(
            Finding(
                code="locked",
                message=f"a migrator holds this database: {status.lock_holder}",
                next_step="Wait for it to end, or inspect it with: dbwarden lock-status",
            )
        )
    return tuple(findings)


def _replica_findings(replica: ReplicaStatus) -> list[Finding]:
    findings = []
    if replica.writable:
        findings.append(
            Finding(
                code="replica_writable",
                message="it accepts writes, so it is not (or no longer) a replica of "
                f"{replica.primary}",
                next_step="Set database_url to a standby. If it was promoted, make it the "
                f"database {replica.primary}, or remove replica_of=.",
            )
        )
    if replica.behind:
        late = f", {replica.lag_seconds:.1f} s late" if replica.lag_seconds else ""
        findings.append(
            Finding(
                code="replica_behind",
                message=f"{_count('replica_behind', replica.behind)} "
                f"(behind {replica.primary}{late})",
                next_step="Wait until it has caught up. If it stays behind, query "
                f"pg_stat_replication on the server of {replica.primary}.",
            )
        )
    return findings


_WORDS = {
    "pending": "pending",
    "changed": "changed after it was applied",
    "missing": "applied, but its file is missing",
    "partial": "stopped between steps",
    "out_of_order": "older than what is applied already",
    "replica_behind": "not here yet",
}


def _count(code: str, keys: tuple[str, ...]) -> str:
    shown = ", ".join(keys[:5]) + (f" and {len(keys) - 5} more" if len(keys) > 5 else "")
    return f"{len(keys)} {_WORDS[code]}: {shown}"
