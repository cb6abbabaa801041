"""Fleets of databases that are only values."""

from pathlib import Path
from typing import Any

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.fleet import Task
from dbwarden.operations.status import status
from dbwarden.types import DatabaseName


def database(name: str, url: str = "postgresql://one.example/app", **more: Any) -> DatabaseConfig:
    return DatabaseConfig(
        database_name=DatabaseName(name),
        database_type="sqlite" if url.startswith("sqlite") else "postgresql",
        database_url=url,
        root=Path("/project"),
        migrations_dir=Path("/project/migrations"),
        **more,
    )


def task(name: str, url: str = "postgresql://one.example/app", **more: Any) -> Task[Any]:
    return Task(key=name, config=database(name, url), operation=status, **more)


def tasks(count: int, url: str = "postgresql://one.example/app") -> list[Task[Any]]:
    return [task(f"t{number:04}", url.format(number)) for number in range(count)]
