"""Make each case's change on SQLite by hand: it is drift, and the fingerprint shows it."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from dbwarden.diff import diff
from dbwarden.diff.changes import Rename, Renaming
from dbwarden.diff.statements import RenderOptions
from tests.acceptance.cases_sqlite import SqliteCase
from tests.acceptance.drifting import begin, drift, open_changes
from tests.acceptance.judging_sqlite import built, opened, read, script, write
from tests.acceptance.project import Project
from tests.acceptance.test_cases import renaming
from tests.acceptance.test_sqlite_cases import CASES, do


def _without_namespace(renaming: Renaming) -> Renaming:
    assert isinstance(renaming, Rename)
    before, after = (replace(ref, namespace=None) for ref in (renaming.before, renaming.after))
    return Rename(before=before, after=after)


@pytest.mark.long(share=20)
@pytest.mark.parametrize("case", [pytest.param(case, id=name) for name, case in CASES])
def test_a_change_by_hand_is_found_until_it_is_undone(case: SqliteCase, tmp_path: Path) -> None:
    if sqlite3.sqlite_version_info < case.since:
        pytest.skip(f"needs SQLite {'.'.join(map(str, case.since))}")
    options = RenderOptions(using=case.using, fills=case.fills)
    renames = tuple(_without_namespace(renaming(text)) for text in case.renames)
    current, desired = read(built(case.old)), read(built(case.new))
    by_hand = script(write(current, desired, renames, options))
    path = tmp_path / "live.db"
    project = Project(tmp_path, tmp_path, "sqlite", f"sqlite:///{path}")
    do(begin, project, case.old)
    assert do(drift, project) == []
    before = path.read_bytes()
    with closing(opened(path)) as live:
        live.executescript(f"PRAGMA foreign_keys = OFF; BEGIN;\n{by_hand} COMMIT;")
    # Columns that exchange their names are seen by their order only, which is no difference.
    assert bool(do(drift, project)) == bool(diff(current, desired))
    assert len(do(open_changes, project)) == 1
    path.write_bytes(before)
    assert do(drift, project) == []
    assert do(open_changes, project) == []
    project.write("primary__0002_new.sql", f"-- upgrade\n{by_hand}")
    do(project.migrate)
    assert do(open_changes, project) == []
