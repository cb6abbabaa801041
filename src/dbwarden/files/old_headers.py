"""Read the English header comments in which earlier files declare their effects. Pure.

Before there were directives such as ``-- dbwarden: loses users.email``, make-migrations wrote
``-- Verdict: loses users.email``, and people wrote such lines by hand. Files without the directives
are read in this way.
"""

import re

from dbwarden.files.declarations import Declarations

_GENERATED = re.compile(r"^-- Verdict: ", re.MULTILINE)
_LOSES = re.compile(r"^--\s*(?:verdict:\s*)?loses\b", re.IGNORECASE | re.MULTILINE)
_MORE = re.compile(r"\band \d+ more\b")
_ENDS_NAME = re.compile(r", | \(tried on | and \d+ more|[\n:]")
_FAILS = re.compile(
    r"^--\s*(the rollback )?fails (?:where tables have rows|on rows where)",
    re.IGNORECASE | re.MULTILINE,
)
_REASON = re.compile(
    r"^--[ \t]*(fails where tables have rows\b.*(?:\n--[ \t]{2,}.*)*)", re.IGNORECASE | re.MULTILINE
)
_UNTRIED = re.compile(r"^--\s*no values could be generated for\b", re.IGNORECASE | re.MULTILINE)


def old_declarations(header: str) -> Declarations:
    """Return the declarations in *header*, the text above the sections."""
    reason = _REASON.search(header)
    fails = {bool(match[1]) for match in _FAILS.finditer(header)}
    return Declarations(
        generated=_GENERATED.search(header) is not None,
        loses=_losses(header),
        untried=("*",) if _UNTRIED.search(header) else (),
        fails_on_rows=False in fails,
        rollback_fails_on_rows=True in fails,
        reason=" ".join(reason[1].replace("\n--", " ").split()) if reason else "",
    )


def _losses(header: str) -> tuple[str, ...]:
    """Return every name after the word "loses"; a column counts for any table, by any name."""
    match = _LOSES.search(header)
    if match is None:
        return ()
    text = header[match.end() :]
    if _MORE.search(text):
        return ("*",)
    words = re.findall(r"\w+(?:\.\w+)*", text)
    names = (part.strip() for part in _ENDS_NAME.split(text))
    columns = (f"*.{word.rpartition('.')[2]}" for word in words)
    return tuple(dict.fromkeys(name for name in (*words, *names, *columns) if name))
