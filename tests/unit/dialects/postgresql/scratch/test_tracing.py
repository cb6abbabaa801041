"""The locks of a traced statement."""

from dbwarden.dialects.authoring import TableLock
from dbwarden.dialects.postgresql.scratch.tracing import strongest_locks


def test_the_strongest_lock_of_a_table_counts_and_reads_do_not() -> None:
    held = [(1, "ShareLock"), (1, "AccessExclusiveLock"), (2, "AccessShareLock"), (3, "ShareLock")]
    assert strongest_locks(held, {1: "users", 2: "tags"}, {1}) == (
        TableLock(table="users", mode="AccessExclusiveLock", rewrites=True, strength=7),
    )
