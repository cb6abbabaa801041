"""Shards of a fleet."""

import pytest

from dbwarden.errors import UsageError
from dbwarden.fleet.sharding import Shard


def test_shards_share_everything_and_nothing_twice() -> None:
    names = [f"tenant_{i}" for i in range(1000)]
    shares = [[n for n in names if Shard(index=i, count=8).holds(n)] for i in range(1, 9)]

    assert sorted(name for share in shares for name in share) == sorted(names)
    assert all(80 < len(share) < 170 for share in shares)


def test_one_more_tenant_moves_no_other() -> None:
    shard = Shard.parse("3/8")

    assert [shard.holds(f"tenant_{i}") for i in range(50)] == [
        Shard(index=3, count=8).holds(f"tenant_{i}") for i in range(50)
    ]


@pytest.mark.parametrize("text", ["", "3", "0/8", "9/8", "a/b", "1/0", "-1/4", "1/2/3"])
def test_an_invalid_shard_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--shard takes I/N"):
        Shard.parse(text)
