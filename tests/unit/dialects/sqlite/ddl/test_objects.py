"""The SQL of views, triggers and virtual tables."""

from dataclasses import replace

import pytest

from dbwarden.dialects.sqlite.catalog import EMPTY_SCHEMA
from dbwarden.diff.changes import Rename
from dbwarden.errors import UnsupportedChange
from dbwarden.schema import Table, Trigger, View
from tests.acceptance.judging_sqlite import built, read, run, unlike, write
from tests.unit.dialects.sqlite.ddl.schemas import T


def test_a_virtual_table_is_left_alone() -> None:
    one = replace(EMPTY_SCHEMA, tables=(Table(name=T, virtual="CREATE VIRTUAL TABLE t USING x"),))
    other = replace(EMPTY_SCHEMA, tables=(Table(name=T, virtual="CREATE VIRTUAL TABLE t USING y"),))
    with pytest.raises(UnsupportedChange, match="does not change table t on SQLite"):
        write(one, other)


def test_a_renamed_view_or_trigger_is_recreated_under_its_new_name() -> None:
    own = "CREATE TABLE t (a); CREATE VIEW {v} AS SELECT a FROM t;"
    own += "CREATE TRIGGER {g} AFTER INSERT ON t BEGIN SELECT 1; END;"
    database = built(own.format(v="v", g="g"))
    one, other = read(database), read(built(own.format(v="w", g="h")))
    (old_view,), (new_view,) = one.of(View), other.of(View)
    (old, new) = (schema.of(Trigger)[0] for schema in (one, other))
    renames = [
        Rename(before=old_view.ref, after=new_view.ref),
        Rename(before=old.ref, after=new.ref),
    ]
    run(database, write(one, other, renames))
    assert unlike(read(database), other) == []


def test_views_that_read_each_other_are_created() -> None:
    own = "CREATE VIEW v AS SELECT * FROM w; CREATE VIEW w AS SELECT * FROM v;"
    database, wanted = built(), read(built(own))
    run(database, write(EMPTY_SCHEMA, wanted))
    assert unlike(read(database), wanted) == []
