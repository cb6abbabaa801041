"""Checksums over what a text means, not over how an editor saved it."""

from hashlib import sha256

from dbwarden.types import Checksum

_BLANKS = " \t\r\f\v"


def checksum(text: str) -> Checksum:
    """SHA-256 of *text* without what does not matter.

    Line ends (CRLF or LF), blanks at the end of a line, and blank lines before and after do not
    count, wherever they stand: also inside a string that spans lines, because editors and git
    change them there too without being asked.
    """
    lines = [line.rstrip(_BLANKS) for line in text.split("\n")]
    meaning = "\n".join(lines).strip("\n")
    return Checksum(sha256(meaning.encode("utf-8", "surrogatepass")).hexdigest())


NOTHING = checksum("")
"""The checksum of a section without a statement."""
