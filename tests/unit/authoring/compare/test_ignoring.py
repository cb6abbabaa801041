import pytest

from dbwarden.authoring.compare.ignoring import is_ignored


@pytest.mark.parametrize(
    ("pattern", "name", "ignored"),
    [
        ("table audit_*", "table audit_log", True),
        ("table audit_*", "index audit_log.ix", False),
        ("audit_*", "index audit_log.ix", True),
        ("index *_tmp", "index users.ix_tmp", True),
        ("column users.*", "column users.email", True),
        ("column users.*", "column Users.email", False),
        ("users", "column users.email", False),
    ],
)
def test_a_pattern_names_a_kind_and_a_name_or_a_name_alone(
    pattern: str, name: str, ignored: bool
) -> None:
    assert is_ignored(name, [pattern]) is ignored
