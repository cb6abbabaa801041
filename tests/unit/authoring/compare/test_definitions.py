"""The expressions in which two definitions differ."""

import pytest

from dbwarden.authoring.compare.definitions import differing_expressions, name_row_columns


@pytest.mark.parametrize(
    ("one", "other", "pairs"),
    [
        ("WHEN ((a > 1)) f()", "WHEN ((a > 2)) f()", [("(a > 1)", "(a > 2)")]),
        ("(a WITH =, b WITH &&)", "(a WITH =, c WITH &&)", [("b", "c")]),
        ("(f(a, b), c)", "(f(a, d), c)", [("f(a, b)", "f(a, d)")]),
        ("(a = ')(')", "(a = '),(')", [("a = ')('", "a = '),('")]),
        ("(a) WHERE (b)", "(c) WHERE (d)", [("a", "c"), ("b", "d")]),
        ("BEFORE (a)", "AFTER (b)", []),
        ("(a)", "(a, b)", []),
        ("(a)", "(a) WHERE (b)", []),
        ("f(a)", "g(a)", []),
        ("(a)", "(a)", []),
    ],
)
def test_differing_expressions(one: str, other: str, pairs: list[tuple[str, str]]) -> None:
    assert list(differing_expressions(one, other)) == pairs


def test_columns_of_rows_become_one_name() -> None:
    text = """old.a <> new."b ""c""" + '"' + """ AND x <> 'old.a' AND bold.a"""
    assert name_row_columns(text) == """"old.a" <> "new.b ""c" AND x <> 'old.a' AND bold.a"""
