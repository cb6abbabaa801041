"""Another place for one database, while a test runs."""

from contextlib import AbstractContextManager
from typing import Any

from dbwarden.config.model import UrlSource
from dbwarden.fastapi.state import overriding


def override_database(app: Any, name: str, url: UrlSource) -> AbstractContextManager[None]:
    """While the block runs, the database *name* is at *url*: for sessions, startup and health.

    As in ``with override_database(app, "primary", dbwarden_database.url), TestClient(app): ...``.
    The URL may be of another kind of database. It counts for this process, so also for code
    outside of requests; tests in several processes don't disturb each other.

    Args:
        app: The application under test.
        name: The database, as in ``database_config(database_name=...)``.
        url: Where it is for the time of the block.
    """
    return overriding(name, url)
