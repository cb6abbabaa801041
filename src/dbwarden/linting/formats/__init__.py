"""Write findings in the formats of terminals, reviews and code scanners. Pure."""

from collections.abc import Callable, Mapping
from typing import Literal

from dbwarden.linting.formats.github import github
from dbwarden.linting.formats.gitlab import gitlab
from dbwarden.linting.formats.markdown import markdown
from dbwarden.linting.formats.report import Report
from dbwarden.linting.formats.sarif import sarif
from dbwarden.linting.formats.text import text

Format = Literal["text", "json", "github", "gitlab", "sarif", "markdown"]

FORMATS: Mapping[Format, Callable[[Report], str]] = {
    "text": text,
    "github": github,
    "gitlab": gitlab,
    "sarif": sarif,
    "markdown": markdown,
}
"""Every format except ``json``, the document that all commands have."""

__all__ = ["FORMATS", "Format", "Report"]
