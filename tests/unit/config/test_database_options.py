"""One configuration: its URL, its server, and its development database."""

import functools
import socket
import tempfile
import threading
import traceback
from pathlib import Path
from typing import Any

import anyio
import pytest
import sqlalchemy

from dbwarden.config.database_options import DatabaseConfig, name_of
from dbwarden.errors import ConfigurationError, ConnectError
from dbwarden.types import DatabaseName

ROOT = Path("/project")
SECRET = "postgresql://ann:hunter2@h/shop"


def config(**options: Any) -> DatabaseConfig:
    return DatabaseConfig(
        **{
            "database_name": DatabaseName("primary"),
            "database_type": "postgresql",
            "database_url": SECRET,
            "root": ROOT,
            "migrations_dir": ROOT / "migrations",
            **options,
        }
    )


async def give_secret() -> str:
    return SECRET


def test_equal_configurations_are_one_key() -> None:
    assert config() == config()
    assert len({config(), config(), config(timeout=1.0)}) == 2
    assert hash(config(engine_options={"echo": True})) == hash(config())


def test_a_configuration_shows_no_password() -> None:
    every = config(
        migration_url=SECRET, dev_database_url=SECRET, scratch=SECRET, engine_options={"a": SECRET}
    )
    assert "hunter2" not in repr(every)
    assert every.display_url == "postgresql://ann:***@h/shop"


async def test_a_url_is_resolved_from_the_projects_folder() -> None:
    url = await config(database_type="sqlite", database_url="sqlite:///a.db").resolve_url()
    assert url.file == ROOT / "a.db"


async def test_a_plain_function_is_called_again_in_a_worker_thread() -> None:
    threads = []

    def give() -> str:
        threads.append(threading.current_thread())
        return f"postgresql://ann:{len(threads)}@h/shop"

    database = config(database_url=give)
    assert [(await database.resolve_url()).password for _ in range(2)] == ["1", "2"]
    assert threading.current_thread() not in threads


@pytest.mark.parametrize("give", [give_secret, functools.partial(give_secret)])
async def test_an_async_function_is_awaited(give: Any) -> None:
    assert (await config(database_url=give).resolve_url()).password == "hunter2"


async def test_a_function_may_return_a_sqlalchemy_url() -> None:
    url = await config(database_url=lambda: sqlalchemy.make_url(SECRET)).resolve_url()
    assert url.password == "hunter2"


async def test_a_function_that_waits_forever_times_out() -> None:
    waiting = threading.Event()
    database = config(database_url=waiting.wait)
    try:
        with anyio.move_on_after(0.05) as scope:
            await database.resolve_url()
        assert scope.cancelled_caught
    finally:
        waiting.set()


async def test_migrations_use_the_migration_url() -> None:
    pooled = config(migration_url="postgresql://direct/shop")
    assert (await pooled.resolve_url(migrating=True)).hosts == (("direct", None),)
    assert (await pooled.resolve_url()).hosts == (("h", None),)
    assert (await config().resolve_url(migrating=True)).hosts == (("h", None),)


async def test_a_failing_function_is_named_with_its_database() -> None:
    def get_url() -> str:
        raise LookupError("no vault")

    with pytest.raises(ConnectError, match="no vault") as caught:
        await config(database_url=get_url).resolve_url()
    assert caught.value.database == "primary"
    assert "get_url()" in str(caught.value)
    assert isinstance(caught.value.__cause__, LookupError)


async def test_a_failing_function_shows_no_password() -> None:
    def get_url() -> str:
        raise LookupError(f"cannot use {SECRET}")

    with pytest.raises(ConnectError) as caught:
        await config(database_url=get_url).resolve_url()
    assert "hunter2" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("sqlite:///a.db", "the URL is of kind sqlite, but the database is postgresql"),
        (None, "database_url: it is None"),
        ("postgresql://h/db?connect_timeout=3", "is 3 in the URL and 5 for the database"),
        ("postgresql://ann:hunter2@h:x/db", "database_url: the port is not a number"),
    ],
)
async def test_an_invalid_url_of_a_function_is_reported_without_password(
    given: Any, words: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        await config(database_url=lambda: given).resolve_url()
    assert words in str(caught.value)
    told = traceback.TracebackException.from_exception(caught.value, capture_locals=True)
    frames = [frame for frame in told.stack if frame.filename != __file__]
    assert frames
    assert "hunter2" not in str([frame.locals for frame in frames])


def test_the_server_groups_databases_that_share_connections() -> None:
    assert config().server == config(database_url="postgresql://H:5432/other").server
    assert config(database_url=give_secret).server == "server of primary"


def test_a_function_as_url_is_shown_by_its_name() -> None:
    assert config(database_url=give_secret).display_url == f"<given by {__name__}.give_secret()>"
    assert config(database_url=give_secret).url is None
    assert config(database_url="nonsense").display_url == "<not a usable URL>"


def test_functions_are_named_as_their_author_knows_them() -> None:
    class Vault:
        def __call__(self) -> str:
            return ""

    assert name_of(Vault()) == f"{__name__}.Vault()"
    give = lambda: ""  # noqa: E731
    give.__module__ = "dbwarden configuration /project/dbwarden.py"
    assert name_of(give).endswith("<lambda>()")
    assert "dbwarden" not in name_of(give)


# -- development --------------------------------------------------------------------------------


def test_the_development_database_has_only_its_own_url() -> None:
    twin = config(
        dev_database_url="postgresql://dev/shop", migration_url="postgresql://direct/shop"
    ).for_dev()
    assert twin.dev
    assert twin.url is not None
    assert twin.url.hosts == (("dev", None),)
    assert twin.migration_url is None
    assert twin.for_dev() is twin


def test_without_a_development_url_there_is_no_development_database() -> None:
    with pytest.raises(ConfigurationError, match="no development database") as caught:
        config().for_dev()
    assert "dev_database_url" in str(caught.value.next_step)


def test_a_development_database_of_another_kind_is_refused_with_a_next_step() -> None:
    other = config(dev_database_type="sqlite", dev_database_url="sqlite:///dev.db")
    with pytest.raises(ConfigurationError, match="cannot run the SQL of a postgresql") as caught:
        other.for_dev()
    assert "dev_database_url='embedded'" in str(caught.value.next_step)


async def test_the_embedded_server_starts_on_connect(tmp_path: Path) -> None:
    twin = config(dev_database_url="embedded", root=tmp_path).for_dev()
    with pytest.raises(ConnectError, match="development server does not run") as caught:
        await twin.resolve_url()
    assert caught.value.database == twin.database_name
    assert "dbwarden dev-server start" in str(caught.value.next_step)
    (tmp_path / ".dbwarden").mkdir()
    with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as server:
        (tmp_path / ".dbwarden" / "dev-server").write_text(f"{folder}\n")
        with pytest.raises(ConnectError, match="development server does not run"):
            await twin.resolve_url()  # it was started, but is gone
        server.bind(f"{folder}/.s.PGSQL.5432")
        server.listen()
        assert (await twin.resolve_url()).hosts == ((folder, None),)
