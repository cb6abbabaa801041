"""An operation ends within its time limit."""

from pathlib import Path

import anyio
import pytest

from dbwarden import telemetry
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import TimedOut
from dbwarden.operations.operation import within
from dbwarden.types import DatabaseName


async def test_an_exceeded_time_limit_names_the_activity_that_it_stopped() -> None:
    config = DatabaseConfig(
        database_name=DatabaseName("primary"),
        database_type="sqlite",
        database_url="sqlite:///app.db",
        root=Path("/project"),
        migrations_dir=Path("/project/migrations"),
        timeout=0.01,
    )

    async def endless() -> None:
        telemetry.doing("reading the models")
        telemetry.doing("comparing")
        await anyio.sleep_forever()

    with pytest.raises(TimedOut, match=r"0\.01 s, and was stopped while comparing$") as caught:
        await within(config, endless())
    assert caught.value.database == "primary"
