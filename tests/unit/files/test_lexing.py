"""Code, comments and blanks."""

import pytest

from dbwarden.files.lexing import has_code


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", False),
        (" \r\n\t;;", False),
        ("-- a\n/* b /* c */ d */;", False),
        ("/* a /* b */", False),
        ("/* a /* b */ SELECT 1", True),
        ("-- a\n'", True),
        ("/* a", True),
        ("SELECT 1", True),
    ],
)
def test_code_differs_from_blanks_and_comments(text: str, code: bool) -> None:
    assert has_code(text) is code
