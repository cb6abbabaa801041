"""Read the header comments that earlier files have instead of directives."""

import pytest

from dbwarden.files.declarations import Declarations
from dbwarden.files.old_headers import old_declarations

WRITTEN = """\
-- Purpose: longer names
-- Verdict: loses users.email (tried on PostgreSQL 18.6)
-- Fails where tables have rows: no value for users.age; fill them first, or make it again
--   with --fill users.age="0"
-- The rollback fails on rows where users.age does not fit integer
-- No values could be generated for items.embedding
-- Locks users: AccessExclusiveLock and rewrites it

"""


def test_a_file_of_an_earlier_version_declares_all_of_its_comments() -> None:
    declared = old_declarations(WRITTEN)
    assert declared.facts.keys() >= {"generated", "fails-on-rows", "rollback-fails-on-rows"}
    assert declared.covers("loses", "users.email")
    assert not declared.covers("loses", "orders.total")
    assert declared.covers("untried", "items.embedding")
    assert declared.reason == (
        "Fails where tables have rows: no value for users.age; fill them first, or make it again "
        'with --fill users.age="0"'
    )


def test_other_comments_declare_nothing() -> None:
    text = "-- Purpose: it loses nothing\n-- The table fails to be small.\n"
    assert old_declarations(text) == Declarations()


@pytest.mark.parametrize(
    ("header", "is_declared"),
    [
        ("-- Purpose: tidy\n", False),
        ("-- Verdict: loses users.email (tried on X)\n", True),
        ("-- loses the e-mail\n", False),
        ("-- Loses users.phone\n", False),
        ("-- Loses all of users\n", True),
        ("-- Verdict: loses a.b and 3 more\n", True),
        ("-- Verdict: loses people.email: users has a new name\n", True),
        ("-- Loses my table.e mail, users.email\n", True),
    ],
)
def test_losses_are_found_in_handwritten_lines(header: str, is_declared: bool) -> None:
    assert old_declarations(header).covers("loses", "users.email") is is_declared


def test_names_with_spaces_are_found() -> None:
    declared = old_declarations("-- Verdict: loses my table.e mail, t.x (tried on SQLite 3.40)\n")
    assert declared.covers("loses", "my table.e mail")


def test_each_direction_is_declared_for_itself() -> None:
    upgrade = old_declarations("-- Fails where tables have rows: x")
    assert [*upgrade.facts] == ["fails-on-rows"]
    rollback = old_declarations("-- The rollback fails where tables have rows: x")
    assert [*rollback.facts] == ["rollback-fails-on-rows"]
