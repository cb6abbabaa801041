"""Read the English header comments in which earlier files declare their effects. Pure.

Before there were directives such as ``-- dbwarden: loses users.email``, make-migrations wrote
``-- Verdict: loses users.email``, and people wrote such lines by hand. Files without the directives
are read in this way.
"""

import re

from dbwarden.files.declarations import Declarations, Fact

_FAILS = r"fails (?:where tables have rows|on rows where)"
_PATTERNS: dict[Fact, str] = {
    "generated": r"(?m)^-- Verdict: ",
    "loses": r"(?mi)^--\s*(?:verdict:\s*)?loses\b",
    "fails-on-rows": rf"(?mi)^--\s*{_FAILS}",
    "rollback-fails-on-rows": rf"(?mi)^--\s*the rollback {_FAILS}",
    "untried": r"(?mi)^--\s*no values could be generated for\b",
}
_REASON = r"(?mi)^--[ \t]*(fails where tables have rows\b.*(?:\n--[ \t]{2,}.*)*)"
_MORE = r"\band \d+ more\b"
_ENDS_NAME = r", | \(tried on | and \d+ more|[\n:]"


def old_declarations(header: str) -> Declarations:
    """Return the declarations in *header*, the text above the sections."""
    facts: dict[Fact, tuple[str, ...]] = {}
    for fact, pattern in _PATTERNS.items():
        if match := re.search(pattern, header):
            facts[fact] = _losses(header[match.end() :]) if fact == "loses" else ("*",)
    reason = re.search(_REASON, header)
    return Declarations(facts, " ".join(reason[1].replace("\n--", " ").split()) if reason else "")


def _losses(text: str) -> tuple[str, ...]:
    """Return every name in *text*; a column counts for any table, by any name."""
    if re.search(_MORE, text):
        return ("*",)
    words = re.findall(r"\w+(?:\.\w+)*", text)
    names = (part.strip() for part in re.split(_ENDS_NAME, text))
    columns = (f"*.{word.rpartition('.')[2]}" for word in words)
    return tuple(dict.fromkeys(name for name in (*words, *names, *columns) if name))
