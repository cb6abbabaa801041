"""Text of others for a terminal: what would steer the terminal is written as an escape."""

import re

_STEERING = "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
"""Control characters but tab and line feed, and what turns the direction of writing."""

_UNSAFE_IN_LINE = re.compile(f"[{_STEERING}\n]")
_COLOUR_OR_UNSAFE = re.compile(f"(\x1b\\[(?:3[123]|[012])m)|[{_STEERING}]")


def printable(text: str) -> str:
    """Return *text* with ``\\x1b`` and the like for characters that steer a terminal.

    The colours of ``cli.style`` stay, and so do tabs and line ends.
    """
    return _COLOUR_OR_UNSAFE.sub(
        lambda found: found[1] or _escape(found), text.replace("\r\n", "\n")
    )


def on_one_line(text: str) -> str:
    """Return *text* so that it steers no terminal and forges no line: a name, a cell, a place."""
    return _UNSAFE_IN_LINE.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    code = ord(found[0])
    if code == ord("\n"):
        return "\\n"
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
