"""Models that the server refuses are named with their place and left out on request."""

import json
import sys

import anyio
import pytest

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import ConfigurationError, DBWardenError, StatementFailed
from dbwarden.operations.diff import DiffResult, check_models, drift
from dbwarden.operations.make_migrations import make_migrations
from dbwarden.types import DatabaseName
from tests.integration.authoring.conftest import IMPORTS, Project

GOOD = """
class Good(Base):
    __tablename__ = "good"
    id: Mapped[int] = mapped_column(primary_key=True)
"""
STATUS = """
class Status(enum.Enum):
    new = 1

class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    status: Mapped[Status]
    __table_args__ = (Index("ix_status", func.lower(text("status::text"))),)
"""
GIN = """
docs = Table(
    "docs",
    Base.metadata,
    Column("id", Integer, primary_key=True),
    Column("body", String),
    Index("ix_gin", "body", postgresql_using="gin"),
)
"""
NO_COLUMNS = """
class Nothing(Base):
    __tablename__ = "nothing"
    id: Mapped[int] = mapped_column(primary_key=True)
    __table_args__ = (Index("ix_none"),)
"""
BAD = """
class Bad(Base):
    __tablename__ = "bad"
    id: Mapped[int] = mapped_column(primary_key=True)
    size: Mapped[int] = mapped_column(server_default=text("nonsense"))
    __table_args__ = (Index("ix_size", "size"), {"comment": "bad"})

class Child(Base):
    __tablename__ = "child"
    id: Mapped[int] = mapped_column(primary_key=True)
    bad_id: Mapped[int] = mapped_column(ForeignKey("bad.id"))
"""
NO_TYPE = """
untyped = Table(
    "untyped", Base.metadata, Column("id", Integer, primary_key=True), Column("what")
)
"""
CHECKED = """
class Checked(Base):
    __tablename__ = "checked"
    id: Mapped[int] = mapped_column(primary_key=True)

event.listen(Checked.__table__, "after_create", DDL("ALTER TABLE checked ADD CHECK (nonsense)"))
"""
LISTENED = """
@event.listens_for(Base.metadata, "after_create")
def after_create(target, connection, **more):
    connection.execute(text("CREATE VIEW v AS SELECT nonsense FROM good"))
"""

REFUSED = {
    "expression": (STATUS, "class Order", "index ix_status of table orders: functions in index"),
    "operator class": (GIN, "docs = Table(", "index ix_gin of table docs: data type character"),
    "no columns": (NO_COLUMNS, "class Nothing", "the index ix_none of table nothing has no"),
    "table": (BAD, "class Bad", "refused table bad: "),
    "no type": (NO_TYPE, "untyped = Table(", "table 'untyped', column 'what'"),
    "event of a table": (CHECKED, "class Checked", "a DDL event of table checked: column"),
    "event": (LISTENED, "connection.execute", "refused a DDL event: column"),
}


@pytest.mark.long(share=4)
@pytest.mark.parametrize("name", REFUSED)
async def test_a_refused_model_is_named_with_its_place(name: str, project: Project) -> None:
    models, begins, said = REFUSED[name]
    project.models(GOOD + models)
    for _ in range(2):
        with pytest.raises(DBWardenError) as caught:
            await check_models(project.config)
        error = caught.value
        assert isinstance(error, StatementFailed | ConfigurationError)
        assert said in error.message
        place = error.location
        assert place is not None and place.line is not None
        lines = (await anyio.Path(place.path).read_text()).splitlines()
        assert lines[place.line - 1].strip().startswith(begins)
        assert error.next_step


async def test_keep_going_compares_and_writes_the_other_models(project: Project) -> None:
    project.models(GOOD + STATUS + GIN + NO_COLUMNS + BAD + NO_TYPE + CHECKED)
    for _ in range(2):
        found = await check_models(project.config, keep_going=True)
        assert _what(found) == [
            "enum status",
            "table docs",
            "table good",
            "table nothing",
            "table orders",
        ]
        assert sorted(_named(found)) == [
            "a DDL event of table checked",
            "index ix_gin of table docs",
            "index ix_status of table orders",
            "table bad",
            "table child",
            "the index ix_none of table nothing",
            "untyped.what",
        ]
        assert all("--keep-going" not in (error.next_step or "") for error in found.refused)
        assert {error.database for error in found.refused} == {project.config.database_name}
    made = await project.make("rest", keep_going=True)
    assert made.proven and len(made.refused) == 7
    await project.migrate()
    again = await project.make("nothing", keep_going=True)
    assert again.agree and len(again.refused) == 7
    live = await drift(project.config, models=True, keep_going=True)
    assert live.differences == () and not live.clean


async def test_tables_of_refused_models_are_not_dropped(project: Project) -> None:
    project.migration(
        1,
        """
        -- upgrade
        CREATE TABLE good (id serial PRIMARY KEY);
        CREATE TYPE status AS ENUM ('new');
        CREATE TABLE orders (id serial PRIMARY KEY, status status NOT NULL);
        CREATE INDEX ix_status ON orders (status);
        CREATE TABLE bad (id serial PRIMARY KEY, size int DEFAULT 0 NOT NULL);
        COMMENT ON TABLE bad IS 'bad';
        CREATE INDEX ix_size ON bad (size);
        CREATE TABLE child (id serial PRIMARY KEY, bad_id int NOT NULL REFERENCES bad);
        CREATE TABLE stays (id serial PRIMARY KEY, bad_id int CONSTRAINT to_bad REFERENCES bad);
        """,
    )
    project.models(
        GOOD.replace("id:", "age: Mapped[int | None]\n    id:")
        + STATUS
        + BAD
        + """
class Stays(Base):
    __tablename__ = "stays"
    id: Mapped[int] = mapped_column(primary_key=True)
    bad_id: Mapped[int | None]
"""
    )
    for _ in range(2):
        found = await check_models(project.config, keep_going=True)
        assert _what(found) == ["column good.age"]
        left_out = {f"{item.kind} {item.name}" for item in found.left_out}
        assert left_out == {"constraint to_bad on stays"}
    made = await project.make("age", keep_going=True)
    assert made.proven and "ADD COLUMN age" in (made.sql or "")
    assert "bad" not in (made.sql or "") and "ix_status" not in (made.sql or "")


async def test_unknown_effects_stop_with_keep_going_too(project: Project) -> None:
    project.models(GOOD + LISTENED)
    with pytest.raises(StatementFailed, match="a DDL event: column"):
        await check_models(project.config, keep_going=True)


async def test_the_commands_list_refused_models_and_exit_3(project: Project) -> None:
    project.file("shop_models.py", IMPORTS + GOOD + STATUS)
    project.file(
        "dbwarden.py",
        f"""
        from dbwarden import database_config
        database_config(
            database_name="primary",
            default=True,
            database_type="postgresql",
            database_url={project.server.url(project.database)!r},
            scratch={project.server.url("postgres")!r},
            model_paths=["shop_models"],
        )
        """,
    )

    async def run(*words: str) -> tuple[int, str, str]:
        command = [sys.executable, "-m", "dbwarden", *words]
        done = await anyio.run_process(command, cwd=project.root, check=False)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    code, _, stderr = await run("check", "--models")
    assert code == 1, stderr
    assert "shop_models.py:17: the scratch database refused index ix_status of table" in stderr
    assert "pass --keep-going" in stderr
    code, _, stderr = await run("check", "--models", "--keep-going")
    assert code == 3
    assert "add table good" in stderr and "index ix_status" in stderr
    code, stdout, stderr = await run("make-migrations", "-m", "first", "--keep-going")
    assert code == 3
    assert "Wrote " in stdout and "index ix_status" in stderr
    for words in (("check", "--models"), ("make-migrations", "-m", "more")):
        code, stdout, _ = await run(*words, "--keep-going", "--json")
        (database,) = json.loads(stdout)["databases"]
        (refused,) = database.get("result", database)["refused"]
        assert code == 3 and refused["line"] == 17 and refused["sqlstate"] == "42P17"
    assert (await run("migrate"))[0] == 0
    code, stdout, stderr = await run("diff", "--models", "--keep-going")
    assert code == 3 and "no difference" in stdout and "index ix_status" in stderr
    code, stdout, stderr = await run("diff", "--keep-going")
    assert (code, stderr) == (0, "") and "no difference" in stdout


async def test_sqlite_names_and_leaves_out_what_it_refuses(project: Project) -> None:
    project.models(
        GOOD
        + """
class Random(Base):
    __tablename__ = "randoms"
    id: Mapped[int] = mapped_column(primary_key=True)
    __table_args__ = (Index("ix_random", text("(random())")),)
"""
    )
    config = DatabaseConfig(
        database_name=DatabaseName("lite"),
        database_type="sqlite",
        database_url=f"sqlite:///{project.root / 'lite.db'}",
        root=project.root,
        migrations_dir=project.root / "migrations" / "lite",
        model_paths=project.config.model_paths,
    )
    with pytest.raises(StatementFailed, match="refused index ix_random of table randoms: ") as bad:
        await check_models(config)
    assert bad.value.location is not None and bad.value.location.line is not None
    made = await make_migrations(config, message="rest", keep_going=True)
    assert made.proven and len(made.refused) == 1
    found = await check_models(config, keep_going=True)
    assert found.differences == () and len(found.refused) == 1


def _what(found: DiffResult) -> list[str]:
    return [item.what for item in found.differences]


def _named(found: DiffResult) -> list[str]:
    words = (
        error.message.removeprefix("the models cannot be written as SQL: ")
        for error in found.refused
    )
    texts = (text.removeprefix("the scratch database refused ") for text in words)
    return [
        text.partition(" has no")[0].partition(" was left")[0].partition(": ")[0] for text in texts
    ]
