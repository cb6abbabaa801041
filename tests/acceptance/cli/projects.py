"""Three databases on SQLite, and what a command prints."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.commands import Ran

CONFIGURATION = """
from dbwarden import database_config

for name in ("primary", "analytics", "logging"):
    database_config(
        database_name=name,
        default=name == "primary",
        database_type="sqlite",
        database_url=f"sqlite:///{name}.db",
        migration_lock_timeout=0.2,
        lock_timeout=0.2,
        lock_retries=0,
    )
"""

USERS = """-- upgrade
CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL);

-- rollback
DROP TABLE users;
"""

ORDERS = """-- upgrade
CREATE TABLE orders (id INTEGER PRIMARY KEY);

-- rollback
DROP TABLE orders;
"""

EVENTS = USERS.replace("users", "events")


Cli = Callable[..., Ran]


def write(root: Path, database: str, name: str, text: str) -> Path:
    folder = root / "migrations" / database
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{database}__{name}.sql"
    path.write_text(text, encoding="utf-8")
    return path


def states(ran: Ran) -> dict[str, str]:
    return {item["database"]: item["state"] for item in ran.json["databases"]}


def results(ran: Ran) -> dict[str, Any]:
    return {item["database"]: item["result"] for item in ran.json["databases"]}


def first_words(text: str) -> list[str]:
    return [line.split()[0] for line in text.splitlines() if line.strip()]


def versions(ran: Ran) -> dict[str, str | None]:
    return {name: result["version"] for name, result in results(ran).items()}
