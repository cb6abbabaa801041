"""A year of changes on one SQLite project: each made, applied, taken back and applied again."""

import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from dbwarden.operations.migrate import migrate
from dbwarden.operations.rollback import rollback
from dbwarden.operations.verify import verify
from tests.integration.authoring.lite import Lite

MODELS = """
class Color(enum.Enum):
    red = "r"
    green = "g"

class Named(DeclarativeBase):
    metadata = MetaData(naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    })

class User(Named):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(100), unique=True)
    nick: Mapped[str | None]
    active: Mapped[bool] = mapped_column(Boolean(create_constraint=True, name="active"))
    color: Mapped[Color] = mapped_column(Enum(Color, create_constraint=True, name="color"))
    created: Mapped[datetime] = mapped_column(server_default=func.now())
    __table_args__ = (
        Index("ix_users_lower", func.lower(text("email"))),
        CheckConstraint("length(email) > 2", name="len"),
    )

class Post(Named):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    title: Mapped[str] = mapped_column(String(200))
    slug: Mapped[str] = mapped_column(Computed("lower(title)"))

tags = Table("tags", Named.metadata,
    Column("post_id", ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True),
    Column("tag", String, primary_key=True))

class Node(Base):
    __tablename__ = "nodes"
    __table_args__ = (
        UniqueConstraint("a", "b"), CheckConstraint("a > 0"), {"sqlite_autoincrement": True})
    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("nodes.id"))
    a: Mapped[int]
    b: Mapped[float]

for sql in (
    "CREATE VIEW titles AS SELECT p.title, u.email FROM posts p JOIN users u ON u.id = p.author_id",
    "CREATE TRIGGER touch AFTER UPDATE ON posts "
    "BEGIN UPDATE users SET nick = nick WHERE id = new.author_id; END",
):
    event.listen(Named.metadata, "after_create", DDL(sql))
"""
ROWS = """
INSERT INTO users (id, email, nick, active, color)
    VALUES (1, 'ada@x', 'a', 1, 'red'), (2, 'bob@x', NULL, 0, 'green'), (5, 'eve@x', 'e', 1, 'red');
INSERT INTO posts (id, author_id, title) VALUES (1, 1, 'Hello'), (2, 1, 'World'), (9, 5, 'X');
INSERT INTO tags VALUES (1, 'a'), (9, 'b');
INSERT INTO nodes (id, parent_id, a, b) VALUES (1, NULL, 1, 1.5), (2, 1, 2, 2.5), (7, 2, 3, 3.5);
DELETE FROM nodes WHERE id = 7;
"""


@dataclass(frozen=True, kw_only=True)
class Edit:
    """What a developer replaces in the models, and the answers that it takes."""

    replaces: dict[str, str]
    answers: dict[str, Any] = field(default_factory=dict)
    anew: tuple[str, ...] = ()


YEAR = {
    "a nullable column": Edit(replaces={"    title:": "    body: Mapped[str | None]\n    title:"}),
    "a foreign key": Edit(
        replaces={
            "    title:": "    editor_id: Mapped[int | None] = mapped_column("
            'ForeignKey("users.id", ondelete="SET NULL"), index=True)\n    title:'
        }
    ),
    "a required column": Edit(
        replaces={"    active:": "    city: Mapped[str]\n    active:"},
        answers={"fills": {"users.city": "'-'"}},
        anew=("users",),
    ),
    "a renamed column": Edit(
        replaces={"    nick:": "    nickname:", "SET nick = nick": "SET nickname = nickname"},
        answers={"renames": ["users.nick:nickname"]},
    ),
    "an enum value": Edit(
        replaces={'    green = "g"': '    green = "g"\n    violet = "v"'}, anew=("users",)
    ),
    "types": Edit(
        replaces={
            "title: Mapped[str] = mapped_column(String(200))": "title: Mapped[str | None]",
            "a: Mapped[int]\n": "a: Mapped[str]\n",
            '"a > 0"': "\"a <> ''\"",
        },
        anew=("nodes", "posts"),
    ),
    "a dropped column": Edit(
        replaces={"    body: Mapped[str | None]\n": ""}, answers={"allow_drop": ["posts.body"]}
    ),
    "constraints get names": Edit(
        replaces={
            'UniqueConstraint("a", "b")': 'UniqueConstraint("a", "b", name="ab")',
            "CheckConstraint(\"a <> ''\")": 'CheckConstraint("b > 0", name="positive")',
        },
        anew=("nodes",),
    ),
    "a renamed table": Edit(
        replaces={
            '"users"': '"members"',
            "users.id": "members.id",
            "ix_users_lower": "ix_members_lower",
            "JOIN users": "JOIN members",
            "UPDATE users": "UPDATE members",
        },
        answers={"renames": ["users:members"]},
        anew=("members", "posts"),  # the convention names their constraints after the table
    ),
    "two tables in a circle": Edit(
        replaces={
            "tags = Table(": """
class A(Named):
    __tablename__ = "a"
    id: Mapped[int] = mapped_column(primary_key=True)
    b_id: Mapped[int | None] = mapped_column(ForeignKey("b.id"))

class B(Named):
    __tablename__ = "b"
    id: Mapped[int] = mapped_column(primary_key=True)
    a_id: Mapped[int | None] = mapped_column(ForeignKey("a.id"))

tags = Table("""
        }
    ),
    "a table goes, a view changes": Edit(
        replaces={
            re.search(r"tags = Table.*?\n\n", MODELS, re.DOTALL)[0]: "",  # type: ignore[index]
            "SELECT p.title, u.email FROM": "SELECT p.title, u.email AS mail FROM",
        },
        answers={"allow_drop": ["tags"]},
    ),
}


@pytest.mark.long
async def test_rows_survive_a_year_of_changes(lite: Lite) -> None:
    models = MODELS
    lite.models(models)
    await lite.made("first")
    lite.run(ROWS)
    for name, edit in YEAR.items():
        for old, new in edit.replaces.items():
            assert old in models, old
            models = models.replace(old, new)
        lite.models(models)
        text = await lite.made(name, **edit.answers)
        upgrade = text.partition("-- rollback")[0]
        assert re.findall(r"CREATE TABLE new_(\w+)", upgrade) == list(edit.anew), name
        assert kept(lite), name
        await rollback(lite.config)
        assert lite.run("PRAGMA foreign_key_check") == []
        await migrate(lite.config)
        assert (await lite.make("nothing")).agree
        assert kept(lite), name
    assert (await verify(lite.config)).clean


def kept(lite: Lite) -> bool:
    """Whether all rows are there, and AUTOINCREMENT knows which numbers it gave away."""
    names = {name for (name,) in lite.run("SELECT name FROM sqlite_schema")}
    users = "members" if "members" in names else "users"
    return (
        lite.run(f"SELECT id, email, color FROM {users}")
        == [(1, "ada@x", "red"), (2, "bob@x", "green"), (5, "eve@x", "red")]
        and lite.run("SELECT id, author_id, title, slug FROM posts")
        == [(1, 1, "Hello", "hello"), (2, 1, "World", "world"), (9, 5, "X", "x")]
        and lite.run("SELECT id, parent_id, CAST(a AS INTEGER), b FROM nodes")
        == [(1, None, 1, 1.5), (2, 1, 2, 2.5)]
        and lite.run("SELECT seq FROM sqlite_sequence WHERE name = 'nodes'") == [(7,)]
        and len(lite.run("SELECT * FROM titles")) == 3
        and lite.run("PRAGMA foreign_key_check") == []
        and lite.run("PRAGMA integrity_check") == [("ok",)]
    )
