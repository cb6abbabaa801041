"""docs/errors.md has every error, with its cause and its cure."""

import re
from pathlib import Path

from dbwarden import errors

PAGE = (Path(__file__).parents[2] / "docs" / "errors.md").read_text(encoding="utf-8")


def test_every_error_has_a_row() -> None:
    classes = [
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.DBWardenError)
    ]
    rows = re.findall(r"^\| `(\w+)` \| \S.* \| \S.* \|$", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted(set(classes) - {"DBWardenError"})
