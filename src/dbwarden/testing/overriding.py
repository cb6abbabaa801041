"""Override the URL of one database during a test."""

from contextlib import AbstractContextManager

from dbwarden.config.model import UrlSource
from dbwarden.fastapi.state import overriding


def override_database(name: str, url: UrlSource) -> AbstractContextManager[None]:
    """Use *url* for the database *name* inside the block, in sessions, startup and health.

    For example: ``with override_database("primary", dbwarden_database.url), TestClient(app): ...``.
    The URL may be of another database kind. The override applies to all applications of this
    process and to code outside of requests, but not to other processes.

    Args:
        name: The database, as in ``database_config(database_name=...)``.
        url: Its URL inside the block.
    """
    return overriding(name, url)
