"""Subscriptions of databases that are copied and dropped: they are in a catalog of the server."""

from typing import LiteralString

from dbwarden.dialects.postgresql.ddl import render
from dbwarden.diff import diff
from dbwarden.schema import ObjectKind, Schema

EXIST: LiteralString = """
SELECT EXISTS (SELECT s.subname FROM pg_catalog.pg_subscription s
               JOIN pg_catalog.pg_database d ON d.oid = s.subdbid WHERE d.datname = $1)
"""
"""Returns whether the database called $1 has subscriptions."""

FORGET: LiteralString = """
DO $dbwarden$
DECLARE name text;
BEGIN
  FOR name IN SELECT s.subname FROM pg_catalog.pg_subscription s
              JOIN pg_catalog.pg_database d ON d.oid = s.subdbid
              WHERE d.datname = pg_catalog.current_database()
  LOOP
    EXECUTE pg_catalog.format('ALTER SUBSCRIPTION %I DISABLE', name);
    EXECUTE pg_catalog.format('ALTER SUBSCRIPTION %I SET (slot_name = NONE)', name);
    EXECUTE pg_catalog.format('DROP SUBSCRIPTION %I', name);
  END LOOP;
END $dbwarden$
"""
"""Drops the subscriptions of a temporary database, which could not be dropped with them."""


def recreating(schema: Schema) -> list[str]:
    """Return the statements that create the subscriptions of *schema* in a copy of its database."""
    others = (obj for obj in schema.objects if obj.ref.kind is not ObjectKind.SUBSCRIPTION)
    rest = schema.with_objects(others)
    return [it.text for it in render(diff(rest, schema), current=rest, desired=schema)]
