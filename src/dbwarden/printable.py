"""Escape the control characters of foreign text for a terminal, and shorten lists."""

import re
from collections.abc import Sequence

_CONTROL = "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069"
"""Control characters except tab and line feed, and characters that change the text direction."""

_UNSAFE_IN_LINE = re.compile(f"[{_CONTROL}\n]")
_COLOUR_OR_UNSAFE = re.compile(f"(\x1b\\[(?:3[123]|[012])m)|[{_CONTROL}]")


def printable(text: str) -> str:
    """Return *text* with control characters as escapes such as ``\\x1b``.

    The colours of ``cli.style``, tabs and line ends are kept.
    """
    return _COLOUR_OR_UNSAFE.sub(
        lambda match: match[1] or _escape(match), text.replace("\r\n", "\n")
    )


def on_one_line(text: str) -> str:
    """Return *text*, such as a name or cell, with control characters and line ends escaped."""
    return _UNSAFE_IN_LINE.sub(_escape, text)


def shorten(names: Sequence[str], most: int = 8) -> str:
    """Join the first *most* names, and count the rest: ``a, b and 12 more``."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code == ord("\n"):
        return "\\n"
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"
