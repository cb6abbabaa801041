"""The anchors of headings, as GitHub derives them, so that links work in both places."""

import re


def github(text: str, separator: str) -> str:
    """Return the anchor of the heading *text*."""
    return re.sub(r"[^\w\- ]", "", text.lower()).replace(" ", separator)
