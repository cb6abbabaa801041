"""Regular expressions mean the same in every supported Python."""

import re
from pathlib import Path

import dbwarden

SOURCES = sorted(Path(dbwarden.__file__).parent.rglob("*.py"))
POSSESSIVE_GROUP = re.compile(r"\)[*+?]\+|\(\?>")


def test_no_group_is_possessive() -> None:
    """Python 3.11.0 to 3.11.4 find other things then (gh-106052); Debian 12 has 3.11.2."""
    found = [
        f"{path}:{number}"
        for path in SOURCES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if POSSESSIVE_GROUP.search(line)
    ]
    assert SOURCES
    assert found == []
