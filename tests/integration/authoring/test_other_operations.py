"""verify, diff, check --models, schema, baseline from a live database, renumber."""

import json
import shutil
import sys
from pathlib import Path

import anyio
import pytest

from dbwarden.errors import ReadOnlyDatabase, UnsupportedChange, UsageError
from dbwarden.operations.diff import check_models, drift
from dbwarden.operations.generate_models import generate_models
from dbwarden.operations.renumber import renumber
from dbwarden.operations.repair import repair
from dbwarden.operations.schema import adopt, schema_sql
from dbwarden.operations.verify import verify
from tests.integration.authoring.conftest import Project

USER = """
class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str | None]
"""
USERS = """
-- upgrade
CREATE TABLE users (id serial PRIMARY KEY, email varchar);
CREATE FUNCTION shout(word text) RETURNS text LANGUAGE sql AS $$ SELECT upper(word) $$;
CREATE VIEW loud AS SELECT shout(email) AS email FROM users;

-- rollback
DROP VIEW loud;
DROP FUNCTION shout(text);
DROP TABLE users;
"""


TRIGGER = """
-- upgrade
CREATE FUNCTION tidied() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;
CREATE TRIGGER tidy BEFORE INSERT ON users
    FOR EACH ROW WHEN (new.email > '') EXECUTE FUNCTION tidied();

-- rollback
DROP TRIGGER tidy ON users;
DROP FUNCTION tidied;
"""


async def test_verify_proves_hand_written_files(project: Project) -> None:
    project.migration(1, USERS)
    project.migration(2, "-- upgrade\nINSERT INTO users (email) VALUES ('a');\n")
    found = await verify(project.config)
    assert found.clean
    assert [item.verdict for item in found.migrations] == ["exact", "irreversible"]


async def test_verify_names_a_rollback_that_leads_elsewhere(project: Project) -> None:
    project.migration(1, USERS)
    project.migration(
        2,
        "-- upgrade\nALTER TABLE users ADD age int DEFAULT 0 NOT NULL;\n"
        "CREATE INDEX ix ON users (age);\n-- rollback\nDROP INDEX ix;\n",
    )
    project.migration(3, "-- upgrade\nCREATE TABLE t (i int);\n-- rollback\nDROP TABLE t;\n")
    found = await verify(project.config)
    assert not found.clean
    wrong = found.migrations[1]
    assert wrong.verdict == "fails"
    assert wrong.problem is not None
    assert "rollback does not lead back: column users.age" in wrong.problem
    assert found.migrations[2].verdict == "exact"


async def test_verify_names_the_line_of_an_upgrade_that_fails(project: Project) -> None:
    project.migration(1, "-- upgrade\nCREATE TABLE t (i int);\nSELECT nonsense;\n")
    (only,) = (await verify(project.config)).migrations
    assert only.problem is not None
    assert "primary__0001_by_hand.sql:3:8: " in only.problem


async def test_hand_written_functions_and_views_stay_where_models_cannot_say_them(
    project: Project,
) -> None:
    project.migration(1, USERS)
    project.models(USER)
    assert (await project.make()).agree
    assert (await check_models(project.config)).clean


async def test_what_was_made_by_hand_follows_what_models_rename(project: Project) -> None:
    project.migration(1, USERS)
    project.migration(2, TRIGGER)
    await project.migrate()
    renamed = USER.replace("email: Mapped", "mail: Mapped")
    project.models(renamed)
    text = await project.made(renames=["users.email:mail"])
    assert "loud" not in text
    project.models(renamed.replace('"users"', '"people"'))
    text = await project.made(renames=["users:people"])
    assert "TRIGGER" not in text
    assert (await verify(project.config)).clean


async def test_what_was_made_by_hand_is_in_the_way_of_what_it_reads(project: Project) -> None:
    project.migration(1, USERS)
    project.migration(2, TRIGGER)
    project.models(USER.replace("    email: Mapped[str | None]\n", ""))
    with pytest.raises(UnsupportedChange, match=r"reads column public\.users\.email, which the"):
        await project.make(allow_drop=["users.email"])


async def test_a_trigger_made_by_hand_goes_with_its_table(project: Project) -> None:
    project.migration(1, "-- upgrade\nCREATE TABLE users (id serial PRIMARY KEY, email varchar);\n")
    project.migration(2, TRIGGER)
    await project.migrate()
    project.models(USER.replace('"users"', '"orders"'))
    text = await project.made(allow_drop=["users"])
    assert "CREATE TRIGGER tidy" in text.partition("-- rollback")[2]


async def test_check_models_finds_what_the_files_lack(project: Project) -> None:
    project.migration(1, USERS)
    project.models(USER + "    age: Mapped[int | None]\n")
    found = await check_models(project.config)
    assert [(item.change, item.what) for item in found.differences] == [
        ("AddColumn", "column users.age")
    ]


async def test_drift_is_found_and_its_sql_leads_back_to_the_files(project: Project) -> None:
    project.migration(1, USERS)
    await project.migrate()
    assert (await drift(project.config)).clean
    await project.fetch("ALTER TABLE users ADD COLUMN sneaky int")
    found = await drift(project.config)
    assert [item.change for item in found.differences] == ["DropColumn"]
    assert found.sql == "ALTER TABLE users DROP COLUMN sneaky;"
    await project.fetch(found.sql)
    assert (await drift(project.config)).clean


async def test_drift_from_the_models(project: Project) -> None:
    project.migration(1, "-- upgrade\nCREATE TABLE users (id serial PRIMARY KEY);\n")
    project.models(USER)
    await project.migrate()
    found = await drift(project.config, models=True)
    assert [item.what for item in found.differences] == ["column users.email"]


async def test_the_schema_is_printed_as_sql_that_builds_it(project: Project) -> None:
    project.migration(1, USERS)
    await project.migrate()
    from_files = await schema_sql(project.config)
    from_live = await schema_sql(project.config, live=True)
    assert from_files.sql == from_live.sql
    assert "CREATE TABLE users (" in from_files.sql
    assert "CREATE VIEW loud" in from_files.sql


async def test_a_live_database_becomes_the_first_migration(project: Project) -> None:
    for statement in USERS.partition("-- rollback")[0].replace("-- upgrade", "").split(";\n"):
        await project.fetch(statement)
    done = await adopt(project.config)
    assert done.marked == ("0001",)
    assert "-- Verdict: exact" in done.path.read_text()
    assert (await drift(project.config)).clean
    assert (await verify(project.config)).clean
    with pytest.raises(UsageError, match="there are migrations already"):
        await adopt(project.config)


async def test_a_database_with_a_history_is_not_described_anew(project: Project) -> None:
    path = project.migration(1, USERS)
    await project.migrate()
    path.unlink()
    with pytest.raises(
        UsageError, match="its migration history has a migration already, up to 0001"
    ) as caught:
        await adopt(project.config)
    assert "dbwarden repair -d primary --forget 0001" in (caught.value.next_step or "")
    assert list(path.parent.iterdir()) == []
    await repair(project.config, forget=["0001"])
    assert (await adopt(project.config)).marked == ("0001",)


async def test_what_takes_no_writes_is_not_described(project: Project) -> None:
    await project.fetch("CREATE TABLE users (id int)")
    name = project.database
    await project.fetch(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with pytest.raises(ReadOnlyDatabase):
        await adopt(project.config)
    assert not (project.root / "migrations").exists()


async def test_two_branches_with_the_same_number_are_told_apart(project: Project) -> None:
    project.migration(1, USERS)
    other = project.file(
        "migrations/primary/primary__0001_add_tags.sql",
        "-- upgrade\nCREATE TABLE tags (id int);\n-- rollback\nDROP TABLE tags;\n",
    )
    with pytest.raises(UsageError, match="have the same number") as caught:
        await renumber(project.config)
    _, command = str(caught.value.next_step).split(": ")
    assert command == "dbwarden renumber -d primary --move 0001_by_hand"
    done = await renumber(project.config, move=["0001_add_tags"])
    assert [move.new.name for move in done.moves] == ["primary__0002_add_tags.sql"]
    assert done.clean
    assert not other.exists()
    assert (await renumber(project.config)).moves == ()


async def test_the_file_that_is_applied_keeps_its_number(project: Project) -> None:
    project.migration(1, USERS)
    await project.migrate()
    project.file(
        "migrations/primary/primary__0001_add_tags.sql",
        "-- upgrade\nCREATE TABLE tags (id int);\n-- rollback\nDROP TABLE tags;\n",
    )
    with pytest.raises(UsageError, match="cannot move because") as caught:
        await renumber(project.config, move=["0001_by_hand"])
    assert str(caught.value.next_step).endswith(" -d primary --move 0001_add_tags")
    done = await renumber(project.config)
    assert [move.old.name for move in done.moves] == ["primary__0001_add_tags.sql"]


# -- the command line ---------------------------------------------------------------------------


async def run(project: Project, *arguments: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "dbwarden", *arguments]
    done = await anyio.run_process(command, cwd=project.root, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def configure(project: Project, **options: object) -> Path:
    more = "".join(f", {name}={value!r}" for name, value in options.items())
    project.file("shop/__init__.py", "")
    project.file(
        "shop/models.py",
        "from sqlalchemy import *\nfrom sqlalchemy.orm import *\n"
        f"class Base(DeclarativeBase):\n    pass\n{USER}",
    )
    return project.file(
        "dbwarden.py",
        "from dbwarden import database_config\n"
        f"database_config(database_name='primary', default=True, "
        f"database_url={project.server.url(project.database)!r}, model_paths=['shop']{more})\n",
    )


async def test_the_commands_make_check_migrate_and_compare(project: Project) -> None:
    configure(project, scratch=project.server.url("postgres"))
    assert (await run(project, "check", "--models"))[0] == 3
    code, out, err = await run(project, "make-migrations", "-d", "primary", "-m", "add users table")
    assert (code, err) == (0, "")
    assert "primary__0001_add_users_table.sql" in out
    assert "verdict: exact" in out
    assert (await run(project, "check", "--models"))[0] == 0
    assert (await run(project, "migrate", "--all"))[0] == 0
    code, out, _ = await run(project, "make-migrations", "-m", "again")
    assert (code, out) == (0, "primary: models and migrations agree.\n")
    assert (await run(project, "diff"))[0] == 0
    code, out, _ = await run(project, "verify", "--json")
    assert (code, json.loads(out)["databases"][0]["clean"]) == (0, True)
    assert "CREATE TABLE users" in (await run(project, "schema"))[1]


async def test_sql_is_printed_and_nothing_is_written(project: Project) -> None:
    configure(project, scratch=project.server.url("postgres"))
    code, out, _ = await run(project, "make-migrations", "-m", "users", "--sql")
    assert code == 0
    assert "CREATE TABLE users" in out
    assert not (project.root / "migrations").exists()


async def test_the_same_models_and_files_start_no_server(project: Project) -> None:
    configure(project, scratch="embedded")
    assert (await run(project, "make-migrations", "-m", "users"))[0] == 0
    again = await run(project, "make-migrations", "-m", "users", "--log-level", "debug")
    # What the new file leads to was seen in its proof.
    assert "scratch_started" not in again[2]
    assert again[0] == 0
    assert "agree" in again[1]
    shutil.rmtree(project.root / ".dbwarden" / "cache")
    replayed = await run(project, "make-migrations", "-m", "users", "--log-level", "debug")
    assert "scratch_started" in replayed[2]
    assert "agree" in replayed[1]


async def test_a_live_database_is_adopted_from_the_command_line(project: Project) -> None:
    configure(project, scratch=project.server.url("postgres"))
    await project.fetch("CREATE TABLE users (id serial PRIMARY KEY, email varchar)")
    code, out, err = await run(project, "baseline")
    assert (code, err) == (0, "")
    assert "primary__0001_baseline.sql" in out
    assert (await run(project, "check"))[0] == 0
    code, out, _ = await run(project, "generate-models", "-o", "shop/generated.py")
    assert (code, out) == (0, "Wrote 1 tables to shop/generated.py\n")


NOT_NULLS = """
-- upgrade
CREATE TABLE t (id int PRIMARY KEY, a int, b int, c int CONSTRAINT c_there NOT NULL);
ALTER TABLE t ADD CONSTRAINT a_there NOT NULL a NOT VALID;
ALTER TABLE t ADD CONSTRAINT b_there NOT NULL b NO INHERIT;
"""
NAMES = (
    "SELECT conname, convalidated, connoinherit FROM pg_constraint WHERE contype = 'n' ORDER BY 1"
)
T_MODEL = """
class T(Base):
    __tablename__ = "t"
    id = Column(Integer, primary_key=True, autoincrement=False)
    a = Column(Integer, nullable=False)
    b = Column(Integer, nullable=False)
    c = Column(Integer, nullable=False)
"""


async def test_a_not_null_that_is_not_valid_is_compared_as_a_check_is(project: Project) -> None:
    project.needs(18)
    project.migration(1, NOT_NULLS)
    project.models(T_MODEL)
    await project.migrate()
    for _ in range(2):
        assert (await drift(project.config)).clean
        found = await check_models(project.config)
        assert [item.what for item in found.differences] == ["column t.a", "column t.b"]
    assert "CONSTRAINT a_there NOT NULL a NOT VALID" in (await schema_sql(project.config)).sql
    models = project.file("models_of_it.py", (await generate_models(project.config)).code)
    again = project.with_options(model_paths=(models.stem,))
    assert (await check_models(again.config)).clean
    text = await project.made(fills={"t.a": "0"})
    assert "ALTER TABLE t VALIDATE CONSTRAINT a_there;" in text
    assert "ALTER TABLE t ALTER CONSTRAINT b_there INHERIT;" in text


async def test_baseline_keeps_the_names_of_not_null(project: Project) -> None:
    project.needs(18)
    for statement in NOT_NULLS.removeprefix("\n-- upgrade\n").split(";")[:-1]:
        await project.fetch(statement)
    names = await project.fetch(NAMES)
    await adopt(project.config)
    await project.fetch("DROP TABLE t")
    await project.fetch("DROP TABLE dbwarden_ledger")
    await project.migrate()
    assert await project.fetch(NAMES) != []
    assert [row for row in await project.fetch(NAMES) if row in names] == names
