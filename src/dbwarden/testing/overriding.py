"""Another URL for one database, while a test runs."""

from contextlib import AbstractContextManager

from dbwarden.config.model import UrlSource
from dbwarden.fastapi.state import overriding


def override_database(name: str, url: UrlSource) -> AbstractContextManager[None]:
    """Put the database *name* at *url* while the block runs: for sessions, startup and health.

    As in ``with override_database("primary", dbwarden_database.url), TestClient(app): ...``. The
    URL may be of another database kind. The override holds for all applications of this process
    and for code outside of requests. Tests in other processes do not see it.

    Args:
        name: The database, as in ``database_config(database_name=...)``.
        url: Where it is while the block runs.
    """
    return overriding(name, url)
