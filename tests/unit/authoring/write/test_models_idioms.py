"""Idioms of generated models."""

import pytest

from dbwarden.authoring.write.models_idioms import strip_parentheses


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("((a > 0) AND (b > 0))", "(a > 0) AND (b > 0)"),
        ("(a > 0) AND (b > 0)", "(a > 0) AND (b > 0)"),
        ("(a <> ')'::text)", "a <> ')'::text"),
        ('("b)" IS NOT NULL)', '"b)" IS NOT NULL'),
        ("a", "a"),
    ],
)
def test_generated_models_write_a_check_without_outer_parentheses(given: str, meant: str) -> None:
    assert strip_parentheses(given) == meant
