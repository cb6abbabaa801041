"""Split a fleet into stable shares. Pure."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """Share ``index`` (from 1) of ``count``.

    The share of a database depends only on its name, so that a new tenant moves no other one.
    """

    index: int
    count: int

    @staticmethod
    def parse(text: str) -> "Shard":
        """Read ``I/N``, as in ``2/8``.

        Raises:
            UsageError: It is not of that form, or I is not from 1 to N.
        """
        match = re.fullmatch(r"(\d+)/(\d+)", text.strip())
        shard = Shard(index=int(match[1]), count=int(match[2])) if match else None
        if shard is None or not 1 <= shard.index <= shard.count:
            raise UsageError(
                f"--shard takes I/N with I from 1 to N, as in 2/8, not {text!r}",
                next_step="In a Kubernetes indexed job, I is JOB_COMPLETION_INDEX + 1.",
            )
        return shard

    def of(self, databases: Sequence[DatabaseConfig]) -> tuple[DatabaseConfig, ...]:
        """Return the *databases* of this share, in their order."""
        return tuple(item for item in databases if self.holds(item.database_name))

    def holds(self, name: str) -> bool:
        """Return whether the database *name* belongs to this share."""
        digest = hashlib.sha256(name.encode()).digest()
        return int.from_bytes(digest[:8], "big") % self.count == self.index - 1
