"""Migrations of SQLite databases: written from models, proven, compared, and models from them."""

import contextlib
import itertools
import os
import shlex
import sqlite3
import sys
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import anyio
import pytest

from dbwarden.config.model import DatabaseConfig
from dbwarden.dialects.sqlite.scratch.scratch_database import SQLiteScratchDatabase, harmless
from dbwarden.errors import (
    ConfigurationError,
    ConnectError,
    NotProven,
    StatementFailed,
    TimedOut,
    UnsupportedChange,
    UsageError,
)
from dbwarden.files.parsing import parse
from dbwarden.kinds import authoring_dialect_for
from dbwarden.operations.diff import check_models, drift
from dbwarden.operations.generate_models import generate_models
from dbwarden.operations.make_migrations import MakeMigrationsResult, make_migrations
from dbwarden.operations.migrate import migrate
from dbwarden.operations.renumber import renumber
from dbwarden.operations.rollback import rollback
from dbwarden.operations.schema import adopt, schema_sql
from dbwarden.operations.verify import verify
from dbwarden.types import DatabaseName

NUMBERS = itertools.count(1)
IMPORTS = """
import enum
from datetime import datetime
from decimal import Decimal
from sqlalchemy import *
from sqlalchemy.orm import *

class Base(DeclarativeBase):
    pass
"""


@dataclass
class Lite:
    """A folder with models, migrations and a SQLite file."""

    root: Path
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def path(self) -> Path:
        return self.root / "app.db"

    @property
    def config(self) -> DatabaseConfig:
        return DatabaseConfig(
            database_name=DatabaseName("app"),
            database_type="sqlite",
            root=self.root,
            migrations_dir=self.root / "migrations" / "app",
            **{"database_url": "sqlite:///app.db", "timeout": None, **self.options},
        )

    def models(self, text: str) -> None:
        """Put new models into the project, as a developer who edits and starts anew."""
        package = f"models_{next(NUMBERS)}_lite"
        path = self.root / f"{package}.py"
        path.write_text(IMPORTS + textwrap.dedent(text), encoding="utf-8")
        self.options["model_paths"] = (package,)

    def migration(self, version: int, text: str) -> None:
        path = self.root / "migrations" / "app" / f"app__{version:04d}_by_hand.sql"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(text), encoding="utf-8")

    async def make(self, message: str = "change", **more: Any) -> MakeMigrationsResult:
        return await make_migrations(self.config, message=message, **more)

    async def made(self, message: str = "change", **more: Any) -> str:
        """Make a migration, apply it, see that there is nothing more to make; its text."""
        result = await self.make(message, **more)
        assert result.path is not None, result
        assert result.proven
        await migrate(self.config)
        assert (await self.make("nothing")).agree
        assert (await drift(self.config)).clean
        return result.path.read_text(encoding="utf-8")

    def run(self, sql: str) -> list[Any]:
        with contextlib.closing(sqlite3.connect(self.path, isolation_level=None)) as database:
            if ";" in sql:
                database.executescript(sql)
                return []
            return database.execute(sql).fetchall()


@pytest.fixture
def lite(tmp_path: Path) -> Iterator[Lite]:
    before, path = set(sys.modules), list(sys.path)
    yield Lite(root=tmp_path)
    sys.path[:] = path
    for module in set(sys.modules) - before:
        if module.startswith(("models_", "dbwarden_models_")):
            del sys.modules[module]


SHOP = """
post_tags = Table("post_tags", Base.metadata,
    Column("post_id", ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True),
    Column("tag_id", ForeignKey("tags.id"), primary_key=True))

class Color(enum.Enum):
    red = "red"
    blue = "blue"

class Org(Base):
    __tablename__ = "orgs"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    owner_id: Mapped[int | None] = mapped_column(
        ForeignKey("users.id", use_alter=True, name="fk_owner"))

class User(Base):
    __tablename__ = "users"
    __table_args__ = (
        UniqueConstraint("org_id", "email", name="uq_users_email"),
        CheckConstraint("age >= 0 and age < 200", name="ck_age"),
        Index("ix_low", func.lower(text("email")), unique=True),
        Index("ix_active", "created_at", sqlite_where=text("active = 1")),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    org_id: Mapped[int] = mapped_column(ForeignKey("orgs.id"))
    email: Mapped[str] = mapped_column(String(200, collation="NOCASE"), index=True)
    age: Mapped[int | None]
    active: Mapped[bool] = mapped_column(server_default=true())
    color: Mapped[Color] = mapped_column(Enum(Color, create_constraint=True, name="ck_color"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    balance: Mapped[Decimal] = mapped_column(Numeric(10, 2), server_default="0")
    options: Mapped[dict] = mapped_column(JSON, server_default=text("'{}'"))
    twice: Mapped[int | None] = mapped_column(Computed("age * 2"))

class Post(Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    author: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    body: Mapped[str | None] = mapped_column(Text)

class Tag(Base):
    __tablename__ = "tags"
    __table_args__ = {"sqlite_autoincrement": True}
    id: Mapped[int] = mapped_column(primary_key=True)
    word: Mapped[str]
"""
ROWS = """
    INSERT INTO orgs (id, name) VALUES (1, 'a'), (2, 'b');
    INSERT INTO users (id, org_id, email, age, color) VALUES (1, 1, 'x', 3, 'red');
    INSERT INTO posts VALUES (1, 1, 'hello'), (2, 1, NULL);
    INSERT INTO tags (word) VALUES ('w'); INSERT INTO post_tags VALUES (1, 1);
"""


LIVE_DEFAULTS = """
    CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY,
        made DATETIME DEFAULT (datetime('now')), day DATE DEFAULT (date('now')),
        count INTEGER DEFAULT 0, flag BOOLEAN DEFAULT true, price NUMERIC(10, 2) DEFAULT '0.00',
        word VARCHAR(9) DEFAULT '0', local DATETIME DEFAULT (datetime('now', 'localtime')));
    CREATE VIEW v AS SELECT datetime('now') AS now;
"""


async def test_defaults_that_mean_the_same_are_no_difference(lite: Lite) -> None:
    lite.run(LIVE_DEFAULTS)
    lite.models("""
        class T(Base):
            __tablename__ = "t"
            id = Column(Integer, primary_key=True)
            made = Column(DateTime, server_default=func.now())
            day = Column(Date, server_default=func.current_date())
            count = Column(Integer, server_default="0")
            flag = Column(Boolean, server_default=text("1"))
            price = Column(Numeric(10, 2), server_default=text("0"))
            word = Column(String(9), server_default=text("0.0"))
            local = Column(DateTime, server_default=func.now())

        view = DDL("CREATE VIEW v AS SELECT CURRENT_TIMESTAMP AS now")
        event.listen(Base.metadata, "after_create", view)
        """)
    for _ in range(2):
        found = await drift(lite.config, models=True)
        assert [item.what for item in found.differences] == ["column t.local", "column t.word"]


async def test_settings_of_one_migration_do_not_reach_the_next(lite: Lite) -> None:
    lite.migration(
        1,
        """
        -- upgrade
        CREATE TABLE a (id INTEGER PRIMARY KEY, n INTEGER);
        CREATE TEMP TABLE b (other TEXT);
        CREATE TABLE temp.c (other TEXT);
        PRAGMA legacy_alter_table = ON;
        PRAGMA case_sensitive_like = ON;
        -- rollback
        DROP TABLE a;
        """,
    )
    lite.migration(
        2,
        """
        -- upgrade
        CREATE TABLE b (id INTEGER PRIMARY KEY, n INTEGER);
        CREATE TEMP TABLE c (other TEXT);
        CREATE VIEW v AS SELECT n FROM a;
        INSERT INTO b (n) VALUES ('a' LIKE 'A');
        -- rollback
        DROP VIEW v;
        DROP TABLE b;
        """,
    )
    lite.migration(
        3, "-- upgrade\nALTER TABLE a RENAME TO z;\n-- rollback\nALTER TABLE z RENAME TO a;"
    )
    for _ in range(2):
        found = await verify(lite.config)
        assert [(item.verdict, item.problem) for item in found.migrations] == [("exact", None)] * 3
    await migrate(lite.config)
    assert lite.run("SELECT n FROM b") == [(1,)]
    assert lite.run("SELECT sql LIKE '%z%' FROM sqlite_schema WHERE name = 'v'") == [(1,)]
    for _ in range(2):
        assert (await drift(lite.config)).clean


# -- a project from its first day ---------------------------------------------------------------


async def test_models_become_migrations_that_keep_rows_and_lead_back(lite: Lite) -> None:
    lite.models(SHOP)
    first = await lite.made("first")
    assert "-- Verdict: exact (tried on SQLite " in first
    assert "CONSTRAINT ck_age CHECK (age >= 0 and age < 200)" in first  # the models' own words
    lite.run(ROWS)
    lite.models(
        SHOP.replace("age < 200", "age < 150")
        .replace('blue = "blue"', 'blue = "blue"; green = "green"')
        .replace("body: Mapped[str | None] = mapped_column(Text",
                 'text: Mapped[str | None] = mapped_column(Text, info={"renamed_from": "body"}')
        .replace("    balance: Mapped[Decimal] = mapped_column(Numeric(10, 2), "
                 'server_default="0")\n', "")
        .replace("    word: Mapped[str]\n",
                 "    word: Mapped[str] = mapped_column(unique=True)\n    slug: Mapped[str]\n")
    )  # fmt: skip
    with pytest.raises(UsageError, match=r"tags\.slug is NOT NULL"):
        await lite.make("second")
    fills = {"tags.slug": "'s' || id"}
    with pytest.raises(UsageError, match=r"destroy data: users\.balance"):
        await lite.make("second", fills=fills)
    second = await lite.made("second", allow_drop=["users.balance"], fills=fills)
    assert "-- Verdict: loses users.balance" in second
    assert "-- Rewrites users\n" in second
    assert "-- Rewrites posts" not in second
    assert lite.run("SELECT id, text FROM posts") == [(1, "hello"), (2, None)]
    assert lite.run("SELECT word, slug FROM tags") == [("w", "s1")]
    assert lite.run("SELECT email, age, twice FROM users") == [("x", 3, 6)]
    assert lite.run("PRAGMA foreign_key_check") == []
    assert (await verify(lite.config)).clean
    assert (await check_models(lite.config)).clean
    await rollback(lite.config)
    assert lite.run("SELECT id, body FROM posts") == [(1, "hello"), (2, None)]
    assert len(lite.run("SELECT * FROM post_tags")) == 1


async def test_a_database_that_does_not_exist_yet_is_an_empty_one_and_stays_so(lite: Lite) -> None:
    lite.models(SHOP)
    assert (await drift(lite.config)).clean
    found = await drift(lite.config, models=True)
    assert "CREATE TABLE users (" in found.sql
    assert (await lite.make(sql=True, from_live=True)).sql is not None
    assert not lite.path.exists()


async def test_a_file_that_may_only_be_read_is_read(lite: Lite) -> None:
    lite.migration(1, "-- upgrade\nCREATE TABLE t (a INT);\n")
    await migrate(lite.config)
    lite.run("PRAGMA journal_mode = WAL")
    os.chmod(lite.path, 0o444)
    names = sorted(os.listdir(lite.root))
    lite.options["database_url"] = "sqlite:///file:app.db?mode=ro&uri=true"
    assert (await drift(lite.config)).clean
    assert sorted(set(os.listdir(lite.root)) - {".dbwarden"}) == names
    lite.options["database_url"] = "sqlite:///file:gone.db?mode=ro&uri=true"
    with pytest.raises(ConnectError):
        await drift(lite.config)


async def test_drift_is_found_and_its_sql_leads_back_to_the_files(lite: Lite) -> None:
    lite.migration(1, "-- upgrade\nCREATE TABLE t (a INT, b TEXT CHECK (b <> ''));\n")
    await migrate(lite.config)
    lite.run("ALTER TABLE t ADD COLUMN sneaky INT; CREATE INDEX ix ON t (b COLLATE NOCASE);")
    found = await drift(lite.config)
    assert {(item.change, item.what) for item in found.differences} == {
        ("DropColumn", "column t.sneaky"),
        ("DropIndex", "index ix"),
    }
    lite.run(found.sql)
    assert (await drift(lite.config)).clean


async def test_only_spelling_is_no_difference(lite: Lite) -> None:
    lite.migration(
        1,
        """
        -- upgrade
        create table "tags" (id integer primary key autoincrement, [word] varchar not null);
        create table orgs (id integer primary key, name varchar not null unique /* once */,
            owner_id integer constraint fk_owner references users);
        create table users (
            id integer primary key, org_id integer not null references orgs(ID),
            email varchar ( 200 ) collate nocase not null, age integer,
            active boolean not null default (1), color varchar(4) not null,
            created_at datetime default (current_timestamp) not null,
            balance numeric(10,2) not null default '0', options json not null default ('{}'),
            twice integer as (AGE*2),
            constraint uq_users_email unique (org_id, email),
            constraint ck_age check (("age">=0 AND age<200)),
            constraint ck_color check (color in ('red','blue')));
        create unique index ix_low on users (Lower("email"));
        create index ix_active on users (created_at) where (active=1);
        create index ix_users_email on users (email collate nocase asc);
        create table posts (id integer primary key, body text,
            author integer not null references users on delete cascade);
        create index ix_posts_author on posts (author);
        create table post_tags (post_id integer not null references posts on delete cascade,
            tag_id integer not null references tags, primary key (post_id, tag_id));
        """,
    )
    lite.models(SHOP)
    assert (await check_models(lite.config)).differences == ()


async def test_names_that_differ_in_capitals_only_are_no_difference(lite: Lite) -> None:
    lite.migration(
        1,
        "-- upgrade\n"
        "CREATE TABLE Users (Id INTEGER PRIMARY KEY, EMail VARCHAR CHECK (email > ''));\n"
        "CREATE INDEX IX_low ON Users (lower(EMail));\n-- rollback\nDROP TABLE users;\n",
    )
    model = (
        USER
        + """
    __table_args__ = (CheckConstraint("email > ''"), Index("ix_low", text("lower(email)")))
"""
    )
    lite.models(model)
    assert (await lite.make()).agree
    lite.models(model + "    age: Mapped[int | None]\n")
    assert "ALTER TABLE Users ADD COLUMN age INTEGER;" in await lite.made()
    assert (await verify(lite.config)).clean


# -- what models cannot say ---------------------------------------------------------------------

HANDMADE = """
-- upgrade
CREATE TABLE users (id INTEGER NOT NULL, email VARCHAR, PRIMARY KEY (id));
CREATE VIEW loud AS SELECT upper(email) AS email FROM users; -- a comment
CREATE TRIGGER tidy AFTER INSERT ON users BEGIN
    UPDATE users SET email = trim(new.email) WHERE id = new.id;
END;
CREATE VIRTUAL TABLE docs USING fts5(body);

-- rollback
DROP TABLE docs;
DROP TRIGGER tidy;
DROP VIEW loud;
DROP TABLE users;
"""
USER = """
class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str | None]
"""


async def test_hand_written_views_triggers_and_virtual_tables_stay(lite: Lite) -> None:
    lite.migration(1, HANDMADE)
    lite.models(USER)
    assert (await lite.make()).agree
    assert (await verify(lite.config)).clean
    await migrate(lite.config)
    lite.run("INSERT INTO users (email) VALUES (' x '); INSERT INTO docs VALUES ('words');")
    lite.models(USER.replace("email: Mapped[str | None]", "email: Mapped[str]"))
    text = await lite.made("strict", fills={"users.email": "''"})
    assert "docs" not in text
    assert lite.run("SELECT * FROM loud") == [("X",)]
    assert lite.run("SELECT body FROM docs('words')") == [("words",)]
    lite.run("INSERT INTO users (email) VALUES (' y ')")
    assert lite.run("SELECT email FROM users WHERE id = 2") == [("y",)]


async def test_what_was_made_by_hand_follows_what_models_rename(lite: Lite) -> None:
    lite.migration(1, HANDMADE)
    await migrate(lite.config)
    lite.run("INSERT INTO users (email) VALUES (' a ')")
    lite.models(USER.replace("email: Mapped", "mail: Mapped"))
    text = await lite.made(renames=["users.email:mail"])
    assert "UPDATE users SET mail = trim(new.mail)" in text
    lite.run("INSERT INTO users (mail) VALUES (' b ')")
    assert lite.run("SELECT mail FROM users ORDER BY 1") == [("a",), ("b",)]
    lite.models(USER.replace("email: Mapped", "mail: Mapped").replace('"users"', '"people"'))
    await lite.made(renames=["users:people"])
    lite.run("INSERT INTO people (mail) VALUES (' c ')")
    assert lite.run("SELECT mail FROM people ORDER BY 1") == [("a",), ("b",), ("c",)]
    assert (await verify(lite.config)).clean
    await rollback(lite.config, count=2)
    lite.run("INSERT INTO users (email) VALUES (' d ')")
    assert lite.run("SELECT email FROM loud ORDER BY 1") == [("A",), ("B",), ("C",), ("D",)]


async def test_what_was_made_by_hand_is_in_the_way_of_what_it_reads(lite: Lite) -> None:
    lite.migration(1, HANDMADE)
    lite.models(USER.replace("    email: Mapped[str | None]\n", ""))
    with pytest.raises(UnsupportedChange, match=r"reads column users\.email, which the models no"):
        await lite.make(allow_drop=["users.email"])


@pytest.mark.parametrize(
    ("code", "why"),
    [
        ("CREATE VIEW v AS SELECT nick FROM users", "view v .* no such column: nick"),
        ("CREATE VIEW v AS SELECT 1 FROM people", "view v .* no such table: main.people"),
        (
            "CREATE TRIGGER g AFTER DELETE ON users BEGIN INSERT INTO users VALUES (1); END",
            "trigger g on users .* table users has 2 columns but 1 values were supplied",
        ),
    ],
)
async def test_a_view_or_trigger_that_could_not_be_used_is_not_written(
    lite: Lite, code: str, why: str
) -> None:
    lite.models(USER + f'\nevent.listen(Base.metadata, "after_create", DDL("{code}"))\n')
    with pytest.raises(NotProven, match=why) as caught:
        await lite.make()
    assert "where it is made" in str(caught.value.next_step)


async def test_a_column_that_breaks_what_was_made_by_hand_is_not_added(lite: Lite) -> None:
    lite.migration(
        1,
        HANDMADE.replace(
            "UPDATE users SET email = trim(new.email) WHERE id = new.id;",
            "INSERT INTO users VALUES (new.id + 1, new.email);",
        ),
    )
    lite.models(USER)
    assert (await lite.make()).agree
    lite.models(USER + "    age: Mapped[int | None]\n")
    with pytest.raises(NotProven, match=r"trigger tidy on users .* has 3 columns but 2 values"):
        await lite.make()


KEYS = "CREATE TABLE p (id INT{unique}); CREATE TABLE c (p INT REFERENCES p (id), a INT{more});"


async def test_a_key_to_columns_that_are_not_unique_is_mended_and_not_made(lite: Lite) -> None:
    schema = lite.root / "schema.sql"
    lite.options["schema_paths"] = (schema,)
    schema.write_text(KEYS.format(unique="", more=""))
    await lite.made()
    schema.write_text(KEYS.format(unique=" UNIQUE", more=""))
    assert "UNIQUE (id)" in await lite.made()
    assert (await verify(lite.config)).clean
    schema.write_text(KEYS.format(unique="", more=" UNIQUE"))
    with pytest.raises(StatementFailed, match=r'columns that are not unique: .* "c" .* "p"'):
        await lite.make()


async def test_flags_to_copy_are_quoted_for_the_shell(lite: Lite) -> None:
    lite.migration(1, """-- upgrade\nCREATE TABLE "od'd name" (a);\nCREATE TABLE t (a);\n""")
    lite.models(USER)
    with pytest.raises(UsageError) as caught:
        await lite.make()
    advice = str(caught.value.next_step)
    name = "od'd name"
    flags = f"--allow-drop {shlex.quote(name)} --allow-drop t"
    assert flags in advice


async def test_a_trigger_made_by_hand_goes_with_its_table(lite: Lite) -> None:
    lite.migration(1, HANDMADE.replace("CREATE VIEW", "-- CREATE VIEW").replace("DROP VIEW", "--"))
    await migrate(lite.config)
    lite.models(USER.replace('"users"', '"orders"'))
    text = await lite.made(allow_drop=["users"])
    assert "CREATE TRIGGER tidy" in text.partition("-- rollback")[2]
    assert (await verify(lite.config)).clean


async def test_a_virtual_table_made_by_hand_is_no_drift(lite: Lite) -> None:
    lite.migration(1, "-- upgrade\nCREATE TABLE t (a INT);\n")
    await migrate(lite.config)
    lite.run("CREATE VIRTUAL TABLE docs USING fts5(body);")
    assert (await drift(lite.config)).clean


EVENTS = (
    USER
    + """
for sql in (
    "CREATE VIEW loud AS SELECT email FROM users",
    "CREATE TRIGGER tidy BEFORE DELETE ON users BEGIN SELECT 1; END",
    "CREATE VIRTUAL TABLE docs USING fts5(body)",
):
    event.listen(Base.metadata, "after_create", DDL(sql))
"""
)


async def test_ddl_events_are_migrated_and_rolled_back(lite: Lite) -> None:
    lite.models(EVENTS)
    text = await lite.made()
    assert "CREATE VIEW loud AS" in text
    assert "CREATE TRIGGER tidy" in text
    assert "CREATE VIRTUAL TABLE docs" in text
    lite.models(EVENTS.replace("SELECT email FROM", "SELECT id, email FROM"))
    await lite.made("another view")
    assert (await verify(lite.config)).clean
    lite.models(EVENTS.replace("fts5(body)", "fts5(body, head)"))
    with pytest.raises(UnsupportedChange, match="docs"):
        await lite.make()


async def test_schemas_in_models_are_an_error_that_says_what_to_do(lite: Lite) -> None:
    lite.models(USER + '    __table_args__ = {"schema": "billing"}\n')
    with pytest.raises(ConfigurationError, match="schema 'billing', and a SQLite database") as said:
        await lite.make()
    assert "schema=" in (said.value.next_step or "")
    lite.models(USER + '    __table_args__ = {"schema": "main"}\n')
    await lite.made()


async def test_what_sqlalchemy_leaves_out_on_sqlite_is_left_out(lite: Lite) -> None:
    lite.models(
        """
        class Thing(Base):
            __tablename__ = "things"
            __table_args__ = {"comment": "none here"}
            id: Mapped[int] = mapped_column(Identity(), primary_key=True)
            number: Mapped[int] = mapped_column(Sequence("numbers"))
            kind: Mapped[str] = mapped_column(Enum("a", "b", name="kind"), comment="nor here")
        """
    )
    assert "SEQUENCE" not in await lite.made()


async def test_schema_files_and_setup_files_are_run(lite: Lite) -> None:
    (lite.root / "schema.sql").write_text("CREATE VIEW v AS SELECT word FROM given;\n")
    (lite.root / "setup.sql").write_text("CREATE TABLE given (word TEXT);\n")
    lite.options |= {
        "schema_paths": (lite.root / "schema.sql",),
        "scratch_setup": lite.root / "setup.sql",
    }
    result = await lite.make()
    assert result.sql is not None
    assert "CREATE VIEW v AS" in result.sql
    assert "given (" not in result.sql
    lite.options["scratch_setup"] = lite.root / "gone.sql"
    with pytest.raises(UsageError, match="scratch_setup cannot be read"):
        await lite.make()


# -- from and to live databases -----------------------------------------------------------------

RICH = """
    CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT COLLATE NOCASE NOT NULL
        UNIQUE ON CONFLICT REPLACE, class VARCHAR(9) DEFAULT 'a', text TEXT, odd "Odd Type",
        amount DECIMAL(10, 2) DEFAULT (1 + 1), at DATETIME DEFAULT (datetime('now') || 'Z'),
        untyped, flag BOOLEAN DEFAULT TRUE, level INT NOT NULL ON CONFLICT IGNORE DEFAULT -1,
        twice INT GENERATED ALWAYS AS (level * 2) STORED,
        boss INT REFERENCES users ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
        CONSTRAINT filled CHECK (email <> 'x:y' AND class IN ('a', 'b')), CHECK (level > -9));
    CREATE TABLE "Odd name" (a TEXT, b TEXT COLLATE RTRIM, PRIMARY KEY (b DESC, a)) WITHOUT ROWID;
    CREATE TABLE log (at TEXT, what ANY, user REFERENCES users (id)) STRICT;
    CREATE TABLE loose (a REFERENCES gone, UNIQUE (a COLLATE NOCASE DESC));
    CREATE TABLE parent (x INT, y INT, UNIQUE (x, y));
    CREATE TABLE child (x INT, y INT, FOREIGN KEY (x, y) REFERENCES parent (x, y)
        ON UPDATE CASCADE);
    CREATE UNIQUE INDEX ix_low ON users (lower(email) DESC, level + 1) WHERE class = 'a';
    CREATE INDEX ix_two ON users (class COLLATE NOCASE DESC, at);
    CREATE VIEW v (one, two) AS SELECT id, email FROM users;
    CREATE VIEW w AS SELECT one FROM v;
    CREATE TRIGGER g INSTEAD OF DELETE ON w BEGIN DELETE FROM users WHERE id = old.one; END;
    CREATE TRIGGER h AFTER UPDATE OF email ON users WHEN new.email = 'a:b%'
        BEGIN INSERT INTO log VALUES ('now', 1, new.id); END;
    CREATE VIRTUAL TABLE docs USING fts5(body, tokenize = 'porter');
""".replace("user REFERENCES", "user INT REFERENCES")


async def test_a_live_database_becomes_the_first_migration(lite: Lite) -> None:
    lite.run(RICH)
    done = await adopt(lite.config)
    assert done.marked == ("0001",)
    assert (await drift(lite.config)).clean
    assert (await verify(lite.config)).clean
    from_files = await schema_sql(lite.config)
    from_live = await schema_sql(lite.config, live=True)
    assert from_files.sql == from_live.sql
    again = Lite(root=lite.root / "again")
    again.root.mkdir()
    again.run(from_live.sql)
    authoring_dialect = authoring_dialect_for("sqlite")
    assert await authoring_dialect.read_live(again.config) == await authoring_dialect.read_live(
        lite.config
    )


async def test_a_database_with_a_history_is_not_described_anew(lite: Lite) -> None:
    lite.migration(1, "-- upgrade\nCREATE TABLE t (id INTEGER);\n")
    await migrate(lite.config)
    (path,) = lite.config.migrations_dir.glob("*.sql")
    path.unlink()
    with pytest.raises(
        UsageError, match="its migration history has a migration already, up to 0001"
    ):
        await adopt(lite.config)
    assert list(path.parent.iterdir()) == []


async def test_a_database_without_tables_has_no_models(lite: Lite) -> None:
    with pytest.raises(UsageError, match="holds no tables"):
        await generate_models(lite.config)
    assert not lite.path.exists()


async def test_a_first_migration_of_a_live_database_and_models_that_want_more(lite: Lite) -> None:
    lite.run("CREATE TABLE users (id INTEGER PRIMARY KEY, email VARCHAR);")
    lite.models(USER + "    age: Mapped[int | None]\n")
    result = await lite.make(from_live=True, sql=True)
    assert result.proven
    assert "-- upgrade\n\n-- table users\nALTER TABLE users ADD COLUMN age INTEGER;\n" in (
        result.sql or ""
    )


async def test_a_newer_migration_of_another_branch_is_numbered_anew(lite: Lite) -> None:
    lite.migration(1, "-- upgrade\nCREATE TABLE a (i INT);\n-- rollback\nDROP TABLE a;\n")
    lite.migration(2, "-- upgrade\nCREATE TABLE b (i INT);\n-- rollback\nDROP TABLE b;\n")
    await migrate(lite.config)
    path = lite.root / "migrations" / "app" / "app__0002_branch.sql"
    path.write_text("-- upgrade\nCREATE TABLE c (i INT);\n-- rollback\nDROP TABLE c;\n")
    done = await renumber(lite.config)
    assert [move.new.name for move in done.moves] == ["app__0003_branch.sql"]
    assert done.clean


async def test_generated_models_lead_back_to_the_database(lite: Lite) -> None:
    lite.run(RICH)
    made = await generate_models(lite.config)
    assert made.tables == 7
    assert "class Users(Base):" in made.code
    assert "c_text: Mapped[str | None] = mapped_column('text', Text" in made.code
    path = lite.root / "models_generated.py"
    path.write_text(made.code, encoding="utf-8")
    config = replace(lite.config, model_paths=(path.name,))
    found = await drift(config, models=True)
    assert found.differences == ()


ODD = """
CREATE TABLE a (n INTEGER COLLATE RTRIM, d COLLATE "NOCASE", PRIMARY KEY (n));
CREATE TABLE b (n INTEGER PRIMARY KEY DESC, x INT);
CREATE INDEX i ON a (d);
CREATE INDEX j ON b (x);
"""


async def test_generated_models_say_what_sqlalchemy_has_no_words_for(lite: Lite) -> None:
    lite.run(ODD)
    made = await generate_models(lite.config)
    assert "Raw('INTEGER COLLATE RTRIM')" in made.code
    path = lite.root / "models_odd.py"
    path.write_text(made.code, encoding="utf-8")
    found = await drift(replace(lite.config, model_paths=(path.name,)), models=True)
    assert found.differences == ()


# -- scratch ------------------------------------------------------------------------------------


async def test_verify_names_rows_that_a_migration_leaves_without_their_parent(lite: Lite) -> None:
    lite.migration(
        1,
        "-- upgrade\nCREATE TABLE p (id INTEGER PRIMARY KEY);\n"
        "CREATE TABLE c (p INT REFERENCES p);\nINSERT INTO p VALUES (1);\n"
        "INSERT INTO c VALUES (1);\n",
    )
    lite.migration(2, "-- upgrade\nDELETE FROM p;\n")
    found = (await verify(lite.config)).migrations[-1]
    assert found.problem is not None
    assert "app__0002_by_hand.sql:2:1: the scratch database refused: after this step" in (
        found.problem
    )


async def test_a_migration_that_fails_on_rows_says_so(lite: Lite) -> None:
    lite.models(USER)
    await lite.made()
    lite.models(USER.replace("email: Mapped[str | None]", "email: Mapped[str]"))
    with pytest.raises(UsageError, match=r"users\.email is NOT NULL") as caught:
        await lite.make()
    flag = "--fill users.email=\"''\""
    assert flag in str(caught.value.next_step)
    result = await lite.make(allow_failing_on_rows=True)
    (note,) = [note for note in result.notes if note.startswith("Fails where tables have rows: ")]
    assert note.endswith(f"make it again with {flag}")


async def test_what_does_not_lead_to_the_models_is_not_written(lite: Lite) -> None:
    lite.models(USER + 'event.listen(Base.metadata, "after_create", DDL("DROP TABLE not_there"))\n')
    with pytest.raises((StatementFailed, NotProven), match="no such table: not_there") as said:
        await lite.make()
    assert "scratch_setup" in (said.value.next_step or "")


async def test_scratch_opens_and_makes_no_file(lite: Lite, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(lite.root)
    lite.migration(
        1,
        "-- upgrade\nATTACH 'other.db' AS other;\nCREATE TABLE other.t (a INT);\n"
        "VACUUM INTO 'copy.db';\nVACUUM;\nPRAGMA user_version = 7;\nCREATE TABLE t (a INT);\n",
    )
    lite.migration(2, "-- upgrade\nATTACH 'other.db' AS other;\nDROP TABLE t;\n")
    before = sorted(os.listdir(lite.root))
    assert (await verify(lite.config)).clean
    assert sorted(set(os.listdir(lite.root)) - {".dbwarden"}) == before
    assert harmless("attach database 'a as b' as [x y]") == "ATTACH ':memory:' AS [x y]"
    assert harmless("VACUUM main INTO 'f'") is None
    assert harmless("ATTACH nonsense") == "ATTACH nonsense"
    assert harmless("ATTACH 'f") == "ATTACH 'f"


async def test_a_trace_tells_which_tables_are_written_anew(lite: Lite) -> None:
    text = """
        -- upgrade
        CREATE TABLE n (id INTEGER PRIMARY KEY, v INT AS (id + 1));
        INSERT INTO n SELECT id FROM a;
        DROP TABLE a;
        ALTER TABLE n RENAME TO a;
        ALTER TABLE b DROP COLUMN x;
        ALTER TABLE b DROP v;
        ALTER TABLE b ADD y INT;
        DROP TABLE gone;
        ALTER TABLE other RENAME TO gone;
        VACUUM;
        ALTER TABLE b RENAME TO c;
        CREATE TABLE n (id INT);
        DROP TABLE c;
        ALTER TABLE n RENAME TO c;
    """
    path = lite.root / "app__0001_x.sql"
    migration = parse(
        textwrap.dedent(text), path=path, database=DatabaseName("app"), dialect="sqlite"
    )
    async with authoring_dialect_for("sqlite").open(lite.config) as scratch:
        database = await scratch.create()
        await database.execute(
            [
                "CREATE TABLE a (id INT)",
                "CREATE TABLE b (id INT, x INT, v AS (id))",
                "CREATE TABLE gone (id INT)",
                "CREATE TABLE other (id INT)",
            ]
        )
        traced = await database.trace(migration, migration.upgrade)
    assert [(item.line, [lock.table for lock in item.locks]) for item in traced] == [
        (6, ["a"]),
        (7, ["b"]),
        (16, ["b"]),
    ]


async def test_rows_satisfy_keys_checks_and_types_where_they_can(lite: Lite) -> None:
    async with authoring_dialect_for("sqlite").open(lite.config) as scratch:
        database = await scratch.create()
        await database.execute(
            [
                "CREATE TABLE p (k TEXT PRIMARY KEY, kind TEXT NOT NULL CHECK (kind IN ('x','y')))",
                "CREATE TABLE c (id INTEGER PRIMARY KEY, p TEXT NOT NULL REFERENCES p, day DATE,"
                " n INT NOT NULL DEFAULT 7, b BLOB NOT NULL, r REAL NOT NULL, twice AS (n * 2))",
                "CREATE TABLE never (a INT PRIMARY KEY, b INT CHECK (b < 0 AND b > 9) NOT NULL)",
                "CREATE TABLE of_never (a INT NOT NULL REFERENCES never)",
                "CREATE TABLE loop (id INTEGER PRIMARY KEY, up INT NOT NULL REFERENCES loop)",
                "CREATE TABLE exact (a ANY NOT NULL, t TEXT NOT NULL) STRICT",
                "CREATE VIRTUAL TABLE docs USING fts5(body)",
                "CREATE TABLE all_default (id INTEGER PRIMARY KEY DEFAULT 1, a AS (1))",
            ]
        )
        schema = await database.read()
        filled = await database.add_rows(schema)
        assert set(filled) == {"p", "c", "loop", "exact", "all_default"}
        before = await database.fingerprint(schema)
        assert "docs.body" not in before
        copy = await scratch.create(copy_of=database)
        assert await copy.fingerprint(schema) == before
        await copy.execute(["UPDATE c SET r = 9 WHERE id = 1"])
        after = await copy.fingerprint(schema)
        assert {name for name in before if before[name] != after[name]} == {"c.r"}
        assert await database.fingerprint(schema) == before


async def test_a_cancelled_scratch_statement_ends_at_once(lite: Lite) -> None:
    endless = (
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT max(i) FROM n"
    )
    async with authoring_dialect_for("sqlite").open(lite.config) as scratch:
        database = await scratch.create()
        assert isinstance(database, SQLiteScratchDatabase)
        with anyio.move_on_after(0.1) as scope:
            await database.execute([endless])
        assert scope.cancelled_caught
        await database.execute(["CREATE TABLE t (a INT)"])  # it is as good as before
        assert len((await database.read()).tables) == 1


# -- larger models, ready-made tests, public applications ---------------------------------------

PORTABLE = """
import uuid

NAMES = {
    "ix": "ix_%(column_0_N_label)s", "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s", "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
}
class Model(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMES)

class Timestamped:
    created_at: Mapped[object] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), index=True)
    @declared_attr
    def owner_id(cls) -> Mapped[int | None]:
        return mapped_column(ForeignKey("people.id", ondelete="SET NULL"))

class Team(Model):
    __tablename__ = "teams"
    __table_args__ = (
        ForeignKeyConstraint(["lead_id"], ["people.id"], use_alter=True, name="fk_lead"),
        {"comment": "100% of the teams: all"},
    )
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    lead_id: Mapped[int | None]
    motto: Mapped[str] = mapped_column(Text, server_default="it's: \\"50%\\"")

class Person(Model):
    __tablename__ = "people"
    __table_args__ = (
        CheckConstraint("age > 0 AND name NOT IN ('a:b', '%')", name="sane"),
        Index("ix_low", text("lower(name) DESC"), unique=True),
        Index("ix_adult", "age", "name", sqlite_where=text("age >= 18")),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    age: Mapped[int | None] = mapped_column(SmallInteger)
    kind: Mapped[str] = mapped_column(String(20))
    team_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("teams.id"))
    options: Mapped[dict] = mapped_column(JSON, server_default=text("'{\\"a\\": [1]}'"))
    shout: Mapped[str | None] = mapped_column(Computed("upper(name)", persisted=True))
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}

class Manager(Person):
    __tablename__ = "managers"
    id: Mapped[int] = mapped_column(ForeignKey("people.id"), primary_key=True)
    bonus: Mapped[object] = mapped_column(Numeric(10, 2), server_default=text("1 + 1"))
    __mapper_args__ = {"polymorphic_identity": "manager"}

class Intern(Person):
    school: Mapped[str | None]
    __mapper_args__ = {"polymorphic_identity": "intern"}

class Ticket(Timestamped, Model):
    __tablename__ = "Tickets"
    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[str] = mapped_column(Enum("open", "it's", name="TicketState",
        create_constraint=True), server_default="open")
    order: Mapped[int] = mapped_column("order", BigInteger)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("Tickets.id"), unique=True)
"""


async def test_models_with_inheritance_conventions_and_cycles(lite: Lite) -> None:
    lite.models(PORTABLE)
    text = await lite.made()
    assert "-- Verdict: exact" in text
    lite.models(PORTABLE.replace("String(80)", "String(90)").replace("age > 0", "age > 1"))
    await lite.made("changed")
    assert (await verify(lite.config)).clean


async def test_the_ready_made_tests_run_on_sqlite(lite: Lite) -> None:
    lite.models(SHOP)
    await lite.made()
    (module,) = lite.options["model_paths"]
    (lite.root / "dbwarden.py").write_text(
        "from dbwarden import database_config\n"
        "database_config(database_name='app', default=True, database_url='sqlite:///app.db', "
        f"model_paths=[{module!r}])\n"
    )
    (lite.root / "test_migrations.py").write_text("from dbwarden.testing.ready_made import *\n")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "dbwarden.testing.plugin"]
    for changed, expected in ((False, 0), (True, 1)):
        if changed:
            path = lite.root / f"{module}.py"
            path.write_text(path.read_text().replace("age < 200", "age < 300"))
        done = await anyio.run_process([*command, "test_migrations.py"], check=False, cwd=lite.root)
        assert done.returncode == expected, done.stdout.decode()
    assert "test_models_match_migrations" in done.stdout.decode()


async def test_what_took_too_long_is_said(lite: Lite) -> None:
    lite.options["timeout"] = 0.05
    lite.models("import time\ntime.sleep(0.2)")
    with pytest.raises(TimedOut, match="was stopped while reading the models") as caught:
        await lite.make()
    assert "--timeout SECONDS" in (caught.value.next_step or "")


async def test_the_result_tables_of_celery(lite: Lite) -> None:
    lite.options["model_paths"] = ("celery.backends.database.models",)
    assert "CREATE TABLE celery_taskmeta" in await lite.made("celery")
