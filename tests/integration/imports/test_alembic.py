"""Alembic projects whose revisions become migration files."""

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from textwrap import dedent

import asyncpg
import pytest

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from dbwarden.errors import HistoryError, ImportFailed, UsageError
from dbwarden.operations.baseline import baseline_from
from dbwarden.operations.check import check
from dbwarden.operations.import_alembic import AlembicOptions, import_alembic
from dbwarden.operations.import_drafts import ImportResult
from dbwarden.operations.migrate import migrate
from dbwarden.operations.verify import verify
from tests.conftest import MakeConfig
from tests.integration.imports.alembic_projects import (
    ASYNC_ENV,
    CONNECT_ENV,
    MULTI_ENV,
    NAMESPACE_ENV,
    SYNC_ENV,
    Revision,
    write_project,
)

USERS = Revision(
    "1a",
    None,
    """
    users = op.create_table("users", sa.Column("id", sa.Integer, primary_key=True),
                            sa.Column("email", sa.String(200), nullable=False))
    op.bulk_insert(users, [{"email": "o'brien@50%.example"}, {"email": "b@example"}])
    op.execute("ALTER TABLE alembic_version ALTER COLUMN version_num TYPE VARCHAR(64)")
    """,
    'op.drop_table("users")',
    "create users",
)
LEFT = Revision(
    "2b",
    "1a",
    """
    op.execute("CREATE TYPE mood AS ENUM ('ok')")
    with op.get_context().autocommit_block():
        op.execute("ALTER TYPE mood ADD VALUE 'sad'")
        op.create_index("ix_email", "users", ["email"], postgresql_concurrently=True)
    op.add_column("users", sa.Column("mood", sa.Enum("ok", "sad", name="mood"),
                                     server_default="sad"))
    """,
    """
    op.drop_column("users", "mood")
    op.execute("DROP TYPE mood")
    """,
    "moods",
)
RIGHT = Revision(
    "3c",
    "1a",
    '''
    op.execute("""
        -- Upgrade
        CREATE FUNCTION one() RETURNS int LANGUAGE sql AS $$ SELECT 1; $$;
    """)
    ''',
    'op.execute("DROP FUNCTION one()")',
    "a function",
)
MERGE = Revision("4d", ("2b", "3c"), message="merge")
DATA = Revision(
    "5e",
    "4d",
    """
    for row in op.get_bind().execute(sa.text("SELECT id FROM users ORDER BY id")):
        op.execute(sa.text("UPDATE users SET email = :e WHERE id = :i").bindparams(
            e=str(uuid.uuid4()), i=row.id))
    """,
    message="rewrite e-mails",
)
LOST = Revision("6f", "5e", 'op.drop_column("users", "email")', "raise NotImplementedError")
PARTLY = Revision(
    "7a",
    "6f",
    """
    op.create_table("a", sa.Column("id", sa.Integer, primary_key=True))
    op.create_table("b", sa.Column("id", sa.Integer, primary_key=True))
    """,
    'op.drop_table("b")',
    "two tables",
)


@pytest.fixture
def config(postgres_server: EmbeddedServer, make_config: MakeConfig) -> DatabaseConfig:
    scratch = postgres_server.url("postgres")
    return make_config("postgresql://app@nowhere.invalid/shop", scratch=scratch, timeout=None)


@pytest.fixture
def lite(make_config: MakeConfig) -> DatabaseConfig:
    return make_config("sqlite:///shop.db", database_type="sqlite", timeout=None)


def texts(result: ImportResult) -> list[str]:
    return [file.path.read_text(encoding="utf-8") for file in result.files]


async def test_every_revision_becomes_a_file_that_leads_to_the_same_schema(
    config: DatabaseConfig, tmp_path: Path
) -> None:
    revisions = [USERS, LEFT, RIGHT, MERGE, DATA, LOST, PARTLY]
    options = AlembicOptions(ini=write_project(tmp_path, ASYNC_ENV, revisions))
    result = await import_alembic(config, options=options)

    assert result.clean, [file.problems for file in result.files]
    ids = [file.revision for file in result.files]
    assert ids[0] == "1a" and ids[3:] == ["4d", "5e", "6f", "7a"]
    users, *_ = written = texts(result)
    by_id = dict(zip(ids, written, strict=True))
    assert "-- dbwarden: from alembic 1a\n" in users
    assert "('o''brien@50%.example'::VARCHAR)" in users and "alembic_version" not in users
    assert "-- dbwarden: from alembic 2b after 1a\n" in by_id["2b"]
    assert "-- @dbwarden:autocommit\nCREATE INDEX CONCURRENTLY ix_email" in by_id["2b"]
    assert "-- Upgrade" not in by_id["3c"]
    assert "from alembic 4d after 2b, 3c" in by_id["4d"]
    assert "it reads rows of users" in by_id["5e"] and "when it was recorded" in by_id["5e"]
    assert "-- dbwarden: irreversible" in by_id["6f"] and "NotImplementedError" in by_id["6f"]
    assert "rollback-differs" in by_id["7a"] and '"table a"' in by_id["7a"]
    assert [file.revision for file in result.files if file.reviews] == ["5e"]
    assert (await verify(config)).clean

    later = Revision("8b", "7a", 'op.drop_table("b")', message="later")
    write_project(tmp_path, ASYNC_ENV, [later])
    again = await import_alembic(config, options=options)
    assert (again.known, [file.key for file in again.files]) == (7, ["0008"])
    assert again.clean


BIND = """
from datetime import datetime, timezone
bind, seen = op.get_bind(), sa.Column("seen", sa.DateTime(timezone=True))
users = sa.table("users", sa.column("id"), sa.column("email"), seen)
"""
NOTES = {
    # what decides nothing
    "catalog": """
        assert sa.inspect(bind).has_table("users")
        assert "email" in {each["name"] for each in sa.inspect(bind).get_columns("users")}
        bind.execute(users.insert().values(email="a"))
        op.add_column("users", seen)
        bind.execute(users.update().values(seen=datetime.now(timezone.utc)))
        op.execute("SELECT setval('users_id_seq', (SELECT max(id) + 1 FROM users))")
        op.execute("SELECT id FROM users")
        bind.execute(users.select())
    """,
    # what another database may answer differently
    "counts": """
        if not bind.execute(users.update().where(sa.false()).values(email="c")).rowcount:
            bind.execute(users.insert().values(email="c"))
    """,
    "returns": """
        new = bind.execute(users.insert().values(email="b").returning(users.c.id)).scalar()
        bind.execute(users.update().where(users.c.id == new).values(email="b2"))
    """,
    "rows of users": """
        if bind.execute(sa.select(sa.func.count()).select_from(users)).scalar() > 99:
            op.execute("UPDATE users SET email = 'many'")
    """,
    "when it was recorded": """
        bind.execute(users.update().values(email=str(uuid.uuid4())))
    """,
}


async def test_a_review_is_asked_for_where_the_database_decides(
    config: DatabaseConfig, tmp_path: Path
) -> None:
    revisions = [replace(USERS, downgrade="pass")]
    for number, (why, body) in enumerate(NOTES.items(), start=2):
        text = BIND + dedent(body)
        revisions.append(Revision(f"{number}z", revisions[-1].id, text, message=why))
    ini = write_project(tmp_path, ASYNC_ENV, revisions)
    result = await import_alembic(config, options=AlembicOptions(ini=ini))
    assert result.clean, [file.problems for file in result.files]
    first, catalog, *deciding = result.files
    assert (first.reviews, catalog.reviews) == ((), ())
    for why, file in zip([*NOTES][1:], deciding, strict=True):
        (review,) = file.reviews
        assert why in review
    moment = catalog.path.read_text(encoding="utf-8")
    assert "UPDATE users SET seen=CURRENT_TIMESTAMP" in moment


async def test_one_baseline_stands_for_the_older_revisions(
    config: DatabaseConfig, tmp_path: Path
) -> None:
    ini = write_project(tmp_path, ASYNC_ENV, [USERS, LEFT, RIGHT, MERGE, LOST_AFTER_MERGE])
    result = await import_alembic(config, options=AlembicOptions(ini=ini, since="4d"))
    assert result.clean
    assert [file.revision for file in result.files] == ["4d", "6f"]
    assert "-- dbwarden: from alembic 4d\n" in texts(result)[0]
    with pytest.raises(UsageError, match="no such revision"):
        await import_alembic(config, options=AlembicOptions(ini=ini, since="nope"))


LOST_AFTER_MERGE = replace(LOST, before="4d")


async def test_batch_mode_and_a_base_outside_of_the_history(
    lite: DatabaseConfig, tmp_path: Path
) -> None:
    base = tmp_path / "base.sql"
    base.write_text("CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT);\n")
    batch = Revision(
        "1a",
        None,
        """
        with op.batch_alter_table("users") as batch:
            batch.alter_column("email", nullable=False, server_default="x")
            batch.add_column(sa.Column("seen", sa.DateTime))
        op.execute("INSERT INTO users (email, seen) VALUES ('a', '2020-01-01')")
        """,
        """
        with op.batch_alter_table("users") as batch:
            batch.drop_column("seen")
        """,
    )
    ini = write_project(tmp_path, SYNC_ENV, [batch])
    result = await import_alembic(lite, options=AlembicOptions(ini=ini, base=str(base)))
    assert result.clean, [file.problems for file in result.files]
    assert [file.revision for file in result.files] == ["base", "1a"]
    assert "CREATE TABLE" in texts(result)[1]
    assert (await verify(lite)).clean


async def test_each_database_of_one_environment_has_its_own_files(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    both = Revision(
        "1a",
        None,
        'op.execute(f"CREATE TABLE t_{engine_name} (id INTEGER)")',
        'op.execute(f"DROP TABLE t_{engine_name}")',
        arguments="engine_name",
    )
    ini = write_project(tmp_path, MULTI_ENV, [both])
    for name in ("primary", "analytics"):
        config = make_config(
            "sqlite:///x.db", database_type="sqlite", database_name=name, timeout=None
        )
        result = await import_alembic(config, options=AlembicOptions(ini=ini))
        assert result.clean
        assert f"CREATE TABLE t_{name} (id INTEGER);" in texts(result)[0]
    other = make_config("sqlite:///x.db", database_type="sqlite", database_name="other")
    with pytest.raises(UsageError, match="none is called other: primary, analytics"):
        await import_alembic(other, options=AlembicOptions(ini=ini))


NAMESPACED = [
    Revision(
        "1a",
        None,
        'op.create_table("a", sa.Column("id", sa.Integer, primary_key=True))',
        'op.drop_table("a")',
    ),
    Revision("2b", "1a", message="nothing"),
    Revision(
        "3c",
        "2b",
        """
        with op.get_context().autocommit_block():
            op.create_index("ix", "a", ["id"], postgresql_concurrently=True)
        """,
        'op.drop_index("ix")',
    ),
]


async def test_a_search_path_that_the_environment_sets_is_in_the_files(
    config: DatabaseConfig,
    postgres_config: DatabaseConfig,
    postgres_url: str,
    tmp_path: Path,
) -> None:
    ini = write_project(tmp_path, NAMESPACE_ENV, NAMESPACED)
    result = await import_alembic(config, options=AlembicOptions(ini=ini))
    assert result.clean, [file.problems for file in result.files]
    assert [file.reviews for file in result.files] == [()] * 4
    base, first, nothing, index = texts(result)
    assert "CREATE SCHEMA IF NOT EXISTS app;" in base and "SET search_path" not in base
    assert first.count("SET search_path TO app;") == 2  # the upgrade and the rollback
    assert "SET search_path" not in nothing
    assert "SET search_path TO app;\n-- @dbwarden:autocommit\nCREATE INDEX CONC" in index
    assert "-- dbwarden: from alembic 3c after 2b in app.alembic_version" in index
    assert (await verify(config)).clean

    shop = replace(postgres_config, migrations_dir=config.migrations_dir)
    database = await asyncpg.connect(postgres_url)
    await database.execute(
        "CREATE SCHEMA app; CREATE TABLE app.a (id SERIAL PRIMARY KEY);"
        "CREATE TABLE app.alembic_version (version_num text);"
        "INSERT INTO app.alembic_version VALUES ('2b')"
    )
    assert (await baseline_from(shop, tool="alembic")).marked == ("0001", "0002", "0003")
    assert [each.key for each in (await migrate(shop)).applied] == ["0004"]
    assert await database.fetchval("SELECT to_regclass('app.ix') IS NOT NULL")
    await database.close()


@pytest.mark.parametrize("env", [NAMESPACE_ENV, CONNECT_ENV])
async def test_a_search_path_that_the_url_sets_too_is_not_in_the_files(
    env: str, config: DatabaseConfig, make_config: MakeConfig, tmp_path: Path
) -> None:
    (tmp_path / "setup.sql").write_text("CREATE SCHEMA IF NOT EXISTS app;\n")
    app = make_config(
        "postgresql://app@nowhere.invalid/shop?options=-csearch_path%3Dapp",
        scratch=config.scratch,
        scratch_setup=tmp_path / "setup.sql",
        timeout=None,
    )
    ini = write_project(tmp_path, env, NAMESPACED)
    result = await import_alembic(app, options=AlembicOptions(ini=ini))
    assert result.clean, [file.problems for file in result.files]
    assert [text for text in texts(result) if "search_path" in text] == []


OWN = "lambda: sqlite3.connect(':memory:')"


@pytest.mark.parametrize(
    ("env", "problem"),
    [
        ("raise ValueError('no settings for app:secret@host')", "env.py failed: ValueError"),
        (
            "import sqlite3\n" + SYNC_ENV.replace('db")', 'db", creator=OWN)').replace("OWN", OWN),
            "opens its connection by itself",
        ),
        (SYNC_ENV.replace("sqlite:////nowhere/shop.db", "postgresql+asyncpg://x/y"), "kind"),
    ],
)
async def test_an_environment_that_cannot_be_recorded_is_refused(
    env: str, problem: str, lite: DatabaseConfig, tmp_path: Path
) -> None:
    ini = write_project(tmp_path, env, [Revision("1a", None)])
    with pytest.raises((ImportFailed, UsageError), match=problem):
        await import_alembic(lite, options=AlembicOptions(ini=ini))
    assert not list(lite.migrations_dir.iterdir())


async def test_an_environment_may_expect_the_connection_of_its_caller(
    lite: DatabaseConfig, tmp_path: Path
) -> None:
    env = "connection = context.config.attributes['connection']\n" + SYNC_ENV.replace(
        "with engine.connect() as connection:", "if connection:"
    )
    env = "from alembic import context\n" + env
    table = Revision("1a", None, 'op.create_table("a", sa.Column("id", sa.Integer))')
    ini = write_project(tmp_path, env, [table])
    result = await import_alembic(lite, options=AlembicOptions(ini=ini, share_connection=True))
    assert result.clean
    assert "CREATE TABLE a" in texts(result)[0]


async def test_a_failing_revision_is_named(lite: DatabaseConfig, tmp_path: Path) -> None:
    ini = write_project(tmp_path, SYNC_ENV, [Revision("1a", None, 'op.drop_table("missing")')])
    with pytest.raises(ImportFailed, match="revision 1a of Alembic failed") as failed:
        await import_alembic(lite, options=AlembicOptions(ini=ini))
    assert str(failed.value.location).endswith("alembic/versions/1a.py")
    (lite.migrations_dir / "primary__0001_own.sql").write_text("-- upgrade\nSELECT 1;\n")
    with pytest.raises(UsageError, match="was not imported from alembic"):
        await import_alembic(lite, options=AlembicOptions(ini=ini))


async def test_each_database_is_marked_at_its_own_revision(
    lite: DatabaseConfig, make_config: MakeConfig, tmp_path: Path
) -> None:
    table = Revision("1a", None, 'op.create_table("a", sa.Column("id", sa.Integer))')
    other = Revision("2b", "1a", 'op.create_table("b", sa.Column("id", sa.Integer))')
    ini = write_project(tmp_path, SYNC_ENV, [table, other])
    await import_alembic(lite, options=AlembicOptions(ini=ini))

    def at(name: str, *sql: str) -> DatabaseConfig:
        with closing(sqlite3.connect(tmp_path / name, isolation_level=None)) as database:
            for statement in sql:
                database.execute(statement)
        return replace(lite, database_url=f"sqlite:///{name}")

    versions = "CREATE TABLE alembic_version (version_num TEXT)"
    old = at("old.db", versions, "INSERT INTO alembic_version VALUES ('1a')", "CREATE TABLE a (id)")
    (finding,) = [each for each in (await check(old)).findings if each.code == "not_marked"]
    assert "0001" in finding.message and "baseline --from alembic" in finding.next_step
    pending = [each.message for each in (await check(old)).findings if each.code == "pending"]
    assert pending == ["1 pending: 0002"]  # 0001 is to be marked, not to be applied
    assert (await baseline_from(old, tool="alembic")).marked == ("0001",)
    assert [each.key for each in (await migrate(old)).applied] == ["0002"]
    assert (await baseline_from(old, tool="alembic")).marked == ()
    assert (await check(old)).clean

    at("old.db", "UPDATE alembic_version SET version_num = '9z'")
    (finding,) = (await check(old)).findings
    assert (finding.code, finding.message) == (
        "not_imported",
        "alembic has applied 9z, which has no file here",
    )
    with pytest.raises(HistoryError, match="9z"):
        await baseline_from(old, tool="alembic")
    with pytest.raises(UsageError, match="no migration history of alembic"):
        await baseline_from(at("new.db"), tool="alembic")
    with pytest.raises(UsageError, match="no file was imported from flyway"):
        await baseline_from(old, tool="flyway")


async def test_a_database_of_postgresql_is_marked_from_a_table_elsewhere(
    postgres_config: DatabaseConfig, postgres_url: str
) -> None:
    write = (postgres_config.migrations_dir / "primary__0001_a.sql").write_text
    header = "-- dbwarden: from alembic 1a in app.versions\n-- dbwarden: irreversible\n"
    write(f"{header}\n-- upgrade\nCREATE TABLE a (id int);\n")
    with pytest.raises(UsageError, match="no migration history of alembic"):
        await baseline_from(postgres_config, tool="alembic")
    database = await asyncpg.connect(postgres_url)
    await database.execute(
        "CREATE TABLE a (id int); CREATE SCHEMA app; CREATE TABLE app.versions (version_num text);"
        "INSERT INTO app.versions VALUES ('1a')"
    )
    await database.close()
    assert (await baseline_from(postgres_config, tool="alembic")).marked == ("0001",)
    assert (await check(postgres_config)).clean


FETCHES = (
    "bind.execute(users.select()).all()",
    "bind.execute(users.select()).first()",
    "bind.execute(users.select()).fetchmany(5)",
    "bind.execute(users.select()).mappings().fetchall()",
    "bind.scalar(users.select())",
    "[row for row in bind.execute(users.select())]",
    "next(bind.execute(users.select()).partitions(5), None)",
    "Session(bind).query(users.c.id).all()",
    "Session(bind).scalars(users.select()).one_or_none()",
    "list(Session(bind).query(User).yield_per(5))",
)


async def test_every_way_to_fetch_rows_asks_for_a_review(
    lite: DatabaseConfig, tmp_path: Path
) -> None:
    head = """
    from sqlalchemy.orm import Session, declarative_base

    class User(declarative_base()):
        __tablename__ = "users"
        id = sa.Column(sa.Integer, primary_key=True)

    bind, users = op.get_bind(), User.__table__
    """
    table = Revision("r0", None, 'op.create_table("users", sa.Column("id", sa.Integer))')
    revisions = [table] + [
        Revision(f"r{number}", f"r{number - 1}", f"{dedent(head)}\n{way}")
        for number, way in enumerate(FETCHES, start=1)
    ]
    ini = write_project(tmp_path, SYNC_ENV, revisions)
    result = await import_alembic(lite, options=AlembicOptions(ini=ini))
    reviews = [file.reviews for file in result.files[1:]]
    assert reviews == [("it reads rows of users; what follows from them is missing",)] * len(
        FETCHES
    )


async def test_a_missing_configuration_is_named(
    lite: DatabaseConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"there is no alembic\.ini in "):
        await import_alembic(lite)
    with pytest.raises(UsageError, match=r"there is no db\.ini in "):
        await import_alembic(lite, options=AlembicOptions(ini=Path("db.ini")))
    (tmp_path / "pyproject.toml").write_text("[project]\nname = 'shop'\n")
    with pytest.raises(ImportFailed, match="No 'script_location' key"):
        await import_alembic(lite)
