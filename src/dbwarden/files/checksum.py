"""Compute checksums that ignore how an editor saved a text."""

from hashlib import sha256

from dbwarden.types import Checksum

_BLANKS = " \t\r\f\v"


def checksum(text: str) -> Checksum:
    """Return the SHA-256 of *text* without insignificant whitespace.

    Line ends (CRLF or LF), trailing whitespace and blank lines at start and end are ignored. This
    includes trailing whitespace inside strings, because editors and git change it there too.
    """
    lines = [line.rstrip(_BLANKS) for line in text.split("\n")]
    meaning = "\n".join(lines).strip("\n")
    return Checksum(sha256(meaning.encode("utf-8", "surrogatepass")).hexdigest())


NOTHING = checksum("")
"""The checksum of a section without a statement."""
