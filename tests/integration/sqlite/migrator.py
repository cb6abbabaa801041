"""Another process that works on a project: ``migrator.py FOLDER migrate|hold [OPTION=NUMBER...]``.

``migrate`` applies what is pending and prints what it applied. ``hold`` takes the migration lock,
prints ``locked`` and keeps it until a line comes in.
"""

import sys
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from dbwarden import telemetry
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import DBWardenError
from dbwarden.kinds import dialect_for
from dbwarden.operations.migrate import migrate
from dbwarden.types import DatabaseName


def config_of(root: Path, options: list[str]) -> DatabaseConfig:
    # Generous: what these processes show must not depend on how busy the machine is.
    given: dict[str, Any] = {"timeout": 600.0, "connect_timeout": 60.0, "lock_timeout": 60.0}
    given |= {name: float(number) for name, number in (each.split("=") for each in options)}
    return DatabaseConfig(
        database_name=DatabaseName("app"),
        database_type="sqlite",
        database_url="sqlite:///app.db",
        root=root,
        migrations_dir=root / "migrations" / "app",
        **given,
    )


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def hold(config: DatabaseConfig) -> None:
    async with dialect_for("sqlite").connect(config) as connection, connection.lock():
        say("locked")
        await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)


async def main(folder: str, command: str, *options: str) -> int:
    config = config_of(Path(folder), list(options))
    try:
        if command == "hold":
            await hold(config)
        else:
            result = await migrate(config)
            say(",".join(each.key for each in result.applied))
    except DBWardenError as error:
        say(f"{type(error).__name__} {error}")
        return 1
    return 0


if __name__ == "__main__":
    telemetry.configure()
    sys.exit(anyio.run(lambda: main(*sys.argv[1:])))
