"""Files and rows of a migration history."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict, Unpack

import pytest

from dbwarden.errors import DBWardenError
from dbwarden.files.checksum import checksum
from dbwarden.files.migration import Migration, Section
from dbwarden.migration_history import HistoryKind, LedgerRow, State
from dbwarden.planning.comparing import Applied, compare
from dbwarden.planning.rolling_back import plan_rollback
from dbwarden.planning.upgrading import plan_upgrade
from dbwarden.types import DatabaseName, Version

PRIMARY = DatabaseName("primary")


class Choice(TypedDict, total=False):
    """The options of ``plan_upgrade`` and ``plan_rollback`` that tests vary."""

    to: str
    count: int


class UpgradeChoice(Choice, total=False):
    """The options of ``plan_upgrade`` alone."""

    out_of_order: bool


def section(text: str, line: int = 2) -> Section:
    return Section(text=text, line=line, checksum=checksum(text))


def file(version: int, *needs: int, rollback: str | None = "DROP 1") -> Migration:
    return Migration(
        database=PRIMARY,
        kind=HistoryKind.VERSIONED,
        version=Version(version),
        name=f"step_{version}",
        path=Path(f"m/primary__{version:04d}_step_{version}.sql"),
        upgrade=section(f"CREATE {version}"),
        rollback=None if rollback is None else section(rollback, 5),
        depends_on=tuple(Version(need) for need in needs),
    )


def repeatable(
    name: str, kind: HistoryKind = HistoryKind.ON_CHANGE, text: str = "SELECT 1"
) -> Migration:
    return replace(
        file(1), kind=kind, version=None, name=name, upgrade=section(text), rollback=None
    )


def row(migration: Migration, id: int | None = None, state: State = State.APPLIED) -> LedgerRow:
    """The ledger row that applying *migration* leaves."""
    return LedgerRow(
        id=id if id is not None else int(migration.version or 1000),
        key=migration.key,
        description=migration.description,
        kind=migration.kind,
        upgrade_checksum=migration.upgrade.checksum,
        rollback_checksum=migration.rollback.checksum if migration.rollback else None,
        state=state,
        step=1,
        running=None,
        steps_checksum=None,
        started_at=datetime(2026, 11, 22, tzinfo=UTC),
        finished_at=datetime(2026, 11, 22, tzinfo=UTC),
        duration_ms=1.0,
        application="dbwarden",
        host="here",
        pid=1,
        dbwarden_version="0.1.0",
    )


def rows(*migrations: Migration) -> list[LedgerRow]:
    return [row(migration, id) for id, migration in enumerate(migrations, start=1)]


def keys(items: Sequence[Migration | Applied | LedgerRow]) -> list[str]:
    return [item.migration.key if isinstance(item, Applied) else item.key for item in items]


ONE, TWO, THREE, FOUR, FIVE = (file(version) for version in range(1, 6))
ALL = [ONE, TWO, THREE, FOUR, FIVE, repeatable("v")]


def upgrade_error(
    files: Sequence[Migration], ledger: Sequence[LedgerRow], **choice: Unpack[UpgradeChoice]
) -> DBWardenError:
    with pytest.raises(DBWardenError) as caught:
        plan_upgrade(compare(files, ledger), **choice)
    assert caught.value.next_step
    return caught.value


def rollback_error(
    files: Sequence[Migration], ledger: Sequence[LedgerRow], **choice: Unpack[Choice]
) -> DBWardenError:
    with pytest.raises(DBWardenError) as caught:
        plan_rollback(compare(files, ledger), **choice)
    assert caught.value.next_step
    return caught.value
