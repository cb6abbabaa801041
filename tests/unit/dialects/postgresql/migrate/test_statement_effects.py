"""Queries that find the effect of an interrupted statement."""

import pytest

from dbwarden.dialects.base import Statement
from dbwarden.dialects.postgresql.migrate.statement_effects import (
    EnumValueAdded,
    IndexBuilt,
    IndexDropped,
    NameInText,
    ObjectDropped,
    ObjectMade,
    PartitionDetached,
    Probe,
    Reindexed,
    Repeatable,
    SessionSetting,
    Transactional,
    UnknownEffect,
    probe_of,
)
from tests.unit.dialects.postgresql.migrate.statements import REFUSED


def name(text: str) -> NameInText:
    namespace, _, rest = text.rpartition(".")
    return NameInText(namespace or None, rest)


def probe(text: str) -> Probe:
    return probe_of(Statement(text=text, line=1, column=1, marked=True))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CREATE INDEX CONCURRENTLY I1 ON App.Users (a)", IndexBuilt("i1", name("app.users"))),
        ("create /* c */ unique index concurrently on users (a)", IndexBuilt(None, name("users"))),
        (
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS i1 ON ONLY t USING gin (a)",
            IndexBuilt("i1", name("t")),
        ),
        (
            'CREATE INDEX CONCURRENTLY "A ""b"" c" ON "My Schema"."T"(a)',
            IndexBuilt('A "b" c', NameInText("My Schema", "T")),
        ),
        (
            'CREATE INDEX CONCURRENTLY U&"d\\0061t\\+000061\\\\" ON db.app.t (a)',
            IndexBuilt("data\\", name("app.t")),
        ),
        ("CREATE INDEX CONCURRENTLY ÜBER ON TÄST (a)", IndexBuilt("Über", name("tÄst"))),
        ("CREATE INDEX i1 ON t (a)", Transactional()),
        ("CREATE INDEX CONCURRENTLY i1 x", UnknownEffect()),
        ("CREATE INDEX CONCURRENTLY i1 ON (a)", UnknownEffect()),
        ("CREATE INDEX CONCURRENTLY U&\"d!0061t\" UESCAPE '!' ON t (a)", UnknownEffect()),
        ("DROP INDEX CONCURRENTLY a.i1, I2", IndexDropped((name("a.i1"), name("i2")))),
        ("DROP INDEX CONCURRENTLY IF EXISTS i1 RESTRICT", IndexDropped((name("i1"),))),
        ("DROP INDEX CONCURRENTLY 'i1'", UnknownEffect()),
        ("DROP INDEX i1", Transactional()),
        ("REINDEX INDEX CONCURRENTLY a.i1", Reindexed("index", name("a.i1"))),
        ("REINDEX (VERBOSE, CONCURRENTLY) TABLE t", Reindexed("table", name("t"))),
        ("REINDEX (CONCURRENTLY off) TABLE t", Transactional()),
        ("REINDEX VERBOSE SCHEMA CONCURRENTLY app", Reindexed("schema", name("app"))),
        ("REINDEX DATABASE CONCURRENTLY", Reindexed("database", None)),
        ("REINDEX SYSTEM", Repeatable()),
        ("REINDEX INDEX i1", Transactional()),
        ("REINDEX CONCURRENTLY", UnknownEffect()),
        ("REINDEX (", UnknownEffect()),
        (
            "ALTER TABLE IF EXISTS ONLY a.p * DETACH PARTITION B.q CONCURRENTLY",
            PartitionDetached(name("a.p"), name("b.q")),
        ),
        ("ALTER TABLE p DETACH PARTITION q FINALIZE", Transactional()),
        ("ALTER TABLE p DETACH PARTITION CONCURRENTLY", Transactional()),
        ("ALTER TABLE 'p' DETACH PARTITION q CONCURRENTLY", Transactional()),
        ("ALTER TABLE t ADD a int", Transactional()),
        (
            "ALTER TYPE app.Mood ADD VALUE IF NOT EXISTS 'it''s' AFTER 'ok'",
            EnumValueAdded(name("app.mood"), "it's"),
        ),
        (
            "ALTER TYPE mood ADD VALUE E'\\x41\\102\\u0043\\U00000044\\t\\\\\\''''",
            EnumValueAdded(name("mood"), "ABCD\t\\''"),
        ),
        ("ALTER TYPE mood ADD VALUE $x$y$x$", EnumValueAdded(name("mood"), "y")),
        ("ALTER TYPE mood ADD VALUE y", UnknownEffect()),
        ("ALTER TYPE mood RENAME VALUE 'a' TO 'b'", Transactional()),
        ("CREATE DATABASE Shop TEMPLATE x", ObjectMade("database", "shop")),
        ("CREATE DATABASE 'x'", UnknownEffect()),
        ('DROP DATABASE IF EXISTS "Shop" WITH (FORCE)', ObjectDropped("database", "Shop")),
        ("CREATE TABLESPACE fast LOCATION '/x'", ObjectMade("tablespace", "fast")),
        ("DROP TABLESPACE fast", ObjectDropped("tablespace", "fast")),
        ("CREATE SUBSCRIPTION s CONNECTION 'x' PUBLICATION p", ObjectMade("subscription", "s")),
        ("DROP SUBSCRIPTION s", ObjectDropped("subscription", "s")),
        ("ALTER SUBSCRIPTION s REFRESH PUBLICATION", Repeatable()),
        ("ALTER SUBSCRIPTION s SET PUBLICATION p", Repeatable()),
        ("ALTER SUBSCRIPTION s ADD PUBLICATION p", UnknownEffect()),
        ("ALTER SUBSCRIPTION s DROP PUBLICATION p", UnknownEffect()),
        ("ALTER SUBSCRIPTION s RENAME TO r", Transactional()),
        ("ALTER DATABASE x SET TABLESPACE y", Repeatable()),
        ("ALTER DATABASE x SET work_mem = 1", Transactional()),
        ("ALTER SYSTEM RESET ALL", Repeatable()),
        ("ALTER VIEW v RENAME TO w", Transactional()),
        ("SET search_path = app", SessionSetting()),
        ("SET SESSION work_mem = 1", SessionSetting()),
        ("RESET ALL", SessionSetting()),
        ("SET LOCAL work_mem = 1", Repeatable()),
        ("SET CONSTRAINTS ALL DEFERRED", Repeatable()),
        ("SET TRANSACTION READ WRITE", Repeatable()),
        ("VACUUM (ANALYZE) t", Repeatable()),
        ("ANALYZE", Repeatable()),
        ("CLUSTER", Repeatable()),
        ("CHECKPOINT", Repeatable()),
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY m", Repeatable()),
        ("INSERT INTO t VALUES (1)", Transactional()),
        ("UPDATE t SET a = 1", Transactional()),
        ("TRUNCATE t", Transactional()),
        ("CREATE TABLE t (a int)", Transactional()),
        ("CALL p()", UnknownEffect()),
        ("DO $$ BEGIN END $$", Transactional()),
        ("DO $$ BEGIN COMMIT; END $$", UnknownEffect()),
        ("SELECT f()", UnknownEffect()),
        ("WITH x AS (DELETE FROM t RETURNING 1) SELECT * FROM x", UnknownEffect()),
        ("(SELECT 1)", UnknownEffect()),
    ],
)
def test_each_statement_says_how_its_effect_is_found(text: str, expected: Probe) -> None:
    assert probe(text) == expected


def test_a_long_name_is_truncated_like_in_the_catalog() -> None:
    long = "é" * 40
    assert probe(f"CREATE INDEX CONCURRENTLY {long} ON t (a)") == IndexBuilt("é" * 31, name("t"))


@pytest.mark.parametrize("text", REFUSED)
def test_no_statement_that_refuses_a_transaction_is_overlooked(text: str) -> None:
    assert probe(text) not in (Transactional(), SessionSetting(), UnknownEffect())
