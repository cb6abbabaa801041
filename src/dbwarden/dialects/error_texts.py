"""Recognize errors by their texts, where a database has no code for them.

Every decision on the text of an error of a database is in the ``sql/error_texts.py`` of its kind.
"""

import re
from enum import Enum


class ErrorText(Enum):
    """A pattern in the text of an error."""

    def is_in(self, error: object) -> bool:
        """Return whether *error*, an exception or its text, has this text."""
        return re.search(self.value, str(error)) is not None

    def name_in(self, error: object) -> str | None:
        """Return the name that *error* reports, the group of the pattern; ``None`` for others."""
        match = re.search(self.value, str(error))
        return match[1] if match else None
