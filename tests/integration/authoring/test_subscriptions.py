"""Subscriptions: rows arrive on a real server, scratch databases contact no publisher."""

from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path

import anyio
import asyncpg
import pytest

from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer, embedded_server
from dbwarden.dialects.postgresql.scratch.subscriptions import FORGET
from dbwarden.errors import ScratchRefused, UsageError
from dbwarden.operations.diff import drift
from dbwarden.operations.migrate import migrate
from dbwarden.operations.rollback import rollback
from dbwarden.operations.schema import adopt, schema_sql
from dbwarden.operations.verify import verify
from dbwarden.testing.databases import SERVER_VARIABLE, Templates
from tests.integration.authoring.conftest import Project

ITEMS = "CREATE TABLE items (id int PRIMARY KEY, name text);"
PRICES = "CREATE TABLE prices (id int PRIMARY KEY);"
NOWHERE = "CONNECTION 'host=publisher.invalid password=hunter2'"
FEED = f"CREATE SUBSCRIPTION feed {NOWHERE} PUBLICATION p;"
TEMPORARY = "SELECT datname FROM pg_database WHERE datname ~ '^(dbwarden_scratch|template_primary)'"


@pytest.fixture
async def subscriber(project: Project) -> AsyncGenerator[Project]:
    """Yield a project whose database may have subscriptions in the end."""
    yield project
    await project.execute(FORGET)


@pytest.fixture
async def replicated(tmp_path: Path) -> AsyncGenerator[tuple[Project, Project]]:
    """Yield a publisher with rows, and an empty subscriber on the same server."""
    async with embedded_server(settings={"wal_level": "logical"}) as server:
        publisher, subscriber = (
            Project(root=tmp_path, server=server, database=name) for name in ("source", "copy")
        )
        for one in (publisher, subscriber):
            await server.create_database(one.database)
        await publisher.execute(f"{ITEMS}{PRICES} INSERT INTO items VALUES (1, 'a'), (2, 'b');")
        await publisher.execute("INSERT INTO prices VALUES (3)")
        await publisher.execute("CREATE PUBLICATION p FOR TABLE items")
        await publisher.execute("CREATE PUBLICATION q FOR TABLE prices")
        yield publisher, subscriber


async def rows_of(project: Project, table: str, number: int) -> None:
    """Wait until *table* has *number* rows."""
    with anyio.fail_after(60):
        while len(await project.fetch(f"SELECT FROM {table}")) != number:  # noqa: ASYNC110 - it has no event
            await anyio.sleep(0.05)


async def connect(subscriber: Project, publisher: Project) -> None:
    """Do what the documentation asks for on each database."""
    server = publisher.server
    url = f"host={server.folder} port={server.port} user=postgres dbname={publisher.database}"
    await publisher.execute("SELECT pg_create_logical_replication_slot('feed', 'pgoutput')")
    for words in (f"CONNECTION '{url}'", "SET (slot_name = feed)", "ENABLE", "REFRESH PUBLICATION"):
        await subscriber.execute(f"ALTER SUBSCRIPTION feed {words}")


async def test_rows_arrive_and_dropping_the_subscription_drops_its_slot(
    replicated: tuple[Project, Project],
) -> None:
    publisher, subscriber = replicated
    schema = subscriber.file("schema.sql", ITEMS + PRICES + FEED)
    subscriber.options["schema_paths"] = (schema,)
    text = await subscriber.made()
    assert "publisher.invalid" not in text
    await rollback(subscriber.config)
    assert not await subscriber.fetch("SELECT FROM pg_subscription")
    await subscriber.migrate()
    await connect(subscriber, publisher)
    await rows_of(subscriber, "items", 2)
    assert (await drift(subscriber.config)).clean

    wanted = FEED.replace("PUBLICATION p", "PUBLICATION q, p WITH (binary = true)")
    schema.write_text(ITEMS + PRICES + wanted)
    text = await subscriber.made()
    assert "ALTER SUBSCRIPTION feed SET PUBLICATION p, q WITH (refresh = false);" in text
    assert "ALTER SUBSCRIPTION feed SET (binary = true);" in text
    await subscriber.execute("ALTER SUBSCRIPTION feed REFRESH PUBLICATION")
    await publisher.execute("INSERT INTO items VALUES (4, 'd')")
    await rows_of(subscriber, "items", 3)
    await rows_of(subscriber, "prices", 1)

    schema.write_text(ITEMS + PRICES)
    with pytest.raises(UsageError, match="destroy data: feed") as caught:
        await subscriber.make()
    assert "--allow-drop feed" in (caught.value.next_step or "")
    text = await subscriber.made(allow_drop=["feed"])
    assert "-- dbwarden: loses feed" in text
    assert not await publisher.fetch("SELECT FROM pg_replication_slots")


async def test_a_subscription_with_another_slot_option_is_recreated(subscriber: Project) -> None:
    subscriber.needs(15)
    schema = subscriber.file("schema.sql", FEED)
    subscriber.options["schema_paths"] = (schema,)
    await subscriber.made()
    schema.write_text(FEED.replace(" p;", " p WITH (two_phase = true);"))
    text = await subscriber.made(allow_drop=["feed"])
    assert text.index("DROP SUBSCRIPTION feed;") < text.index("two_phase = true")


BY_HAND = f"""-- upgrade
CREATE TABLE t (id int);
{FEED.replace(" p;", " p, q WITH (copy_data = true, enabled = true, slot_name = 'own');")}
ALTER SUBSCRIPTION feed SET PUBLICATION p WITH (copy_data = false);
ALTER SUBSCRIPTION feed ENABLE;
ALTER SUBSCRIPTION feed REFRESH PUBLICATION WITH (copy_data = false);
ALTER SUBSCRIPTION feed SET (slot_name = 'other', binary = true);
ALTER SUBSCRIPTION feed SET (slot_name = 'other');
-- rollback
DROP SUBSCRIPTION feed;
DROP TABLE t;
"""


async def test_statements_written_by_hand_contact_no_publisher_in_scratch(project: Project) -> None:
    project.migration(1, BY_HAND)
    assert (await verify(project.config)).clean
    shown = await schema_sql(project.config)
    assert "SUBSCRIPTION feed" in shown.sql
    assert "PUBLICATION p WITH" in shown.sql
    assert "binary = true" in shown.sql
    assert "publisher.invalid" not in shown.sql
    assert not await project.fetch(TEMPORARY)


async def test_an_error_after_a_subscription_has_its_line(project: Project) -> None:
    text = BY_HAND.replace("slot_name = 'own'", "create_slot = false")
    project.migration(1, text.replace("-- rollback", "CREATE TABLE u (id nothing);\n-- rollback"))
    with pytest.raises(ScratchRefused) as caught:
        await schema_sql(project.config)
    assert caught.value.location is not None
    assert caught.value.location.line == 1 + BY_HAND[: BY_HAND.index("-- rollback")].count("\n")


async def test_an_ordinary_user_reads_objects_without_their_secrets(subscriber: Project) -> None:
    """The columns of pg_subscription and pg_user_mapping that hold secrets are not read."""
    project = subscriber
    await project.execute(FEED.replace(" p;", " p WITH (connect = false, slot_name = NONE);"))
    await project.execute(
        "CREATE FOREIGN DATA WRAPPER fdw; CREATE SERVER srv FOREIGN DATA WRAPPER fdw;"
        "CREATE USER MAPPING FOR PUBLIC SERVER srv OPTIONS (password 'hunter2');"
    )
    role = f"ordinary_{project.database}"
    await project.execute(f"CREATE ROLE {role} LOGIN")
    url = project.server.url(project.database).replace("postgres@", f"{role}@", 1)
    shown = await schema_sql(replace(project.config, database_url=url), live=True)
    assert "CREATE USER MAPPING FOR public SERVER srv;" in shown.sql
    assert "CREATE SUBSCRIPTION feed" in shown.sql
    assert "hunter2" not in shown.sql
    await project.execute(f"DROP ROLE {role}")
    assert "hunter2" not in (await adopt(project.config)).path.read_text(encoding="utf-8")
    assert (await drift(project.config)).clean
    await project.execute("ALTER SUBSCRIPTION feed SET (binary = true)")
    found = await drift(project.config)
    assert [item.what for item in found.differences] == ["subscription feed"]


async def test_a_role_that_is_no_superuser_creates_what_was_written(subscriber: Project) -> None:
    subscriber.needs(16)
    subscriber.options["schema_paths"] = (subscriber.file("schema.sql", FEED),)
    assert (await subscriber.make()).proven
    role = f"subscriber_of_{subscriber.database}"
    await subscriber.execute(
        f"CREATE ROLE {role} LOGIN; GRANT pg_create_subscription TO {role};"
        f"GRANT CREATE ON DATABASE {subscriber.database} TO {role};"
        f"GRANT CREATE ON SCHEMA public TO {role};"
    )
    url = subscriber.server.url(subscriber.database).replace("postgres@", f"{role}@", 1)
    await migrate(replace(subscriber.config, database_url=url))
    assert await subscriber.fetch("SELECT FROM pg_subscription WHERE subname = 'feed'")
    await rollback(replace(subscriber.config, database_url=url))
    await subscriber.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


def test_databases_of_tests_are_dropped(
    tmp_path: Path, postgres_server: EmbeddedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The template has the subscription of the migration, and is dropped all the same."""
    monkeypatch.setenv(SERVER_VARIABLE, postgres_server.url())
    project = Project(root=tmp_path, server=postgres_server, database="none")
    feed = FEED.replace(" p;", " p WITH (connect = false);")
    project.migration(1, f"-- upgrade\n{feed}\n-- rollback\nDROP SUBSCRIPTION feed;\n")
    templates = Templates(tmp_path)
    templates.drop(templates.fresh(project.config))
    templates.close()

    async def left() -> list[asyncpg.Record]:
        return await replace(project, database="postgres").fetch(TEMPORARY)

    assert anyio.run(left) == []
