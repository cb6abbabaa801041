"""The tables that a database owns, in every form of models."""

import itertools
import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from dbwarden.authoring.collect.compile_models import build
from dbwarden.authoring.collect.desired import read_desired
from dbwarden.authoring.collect.desired_state import Compilation
from dbwarden.authoring.collect.models import OwnedMetadata, owned_tables
from dbwarden.authoring.collect.modules import nearest, unknown_paths
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.postgresql.scratch.authoring_dialect import AUTHORING_DIALECT
from dbwarden.errors import ConfigurationError
from dbwarden.types import DatabaseName

NUMBERS = itertools.count(1)

BASE = """
from sqlalchemy import *
from sqlalchemy.orm import *
class Base(DeclarativeBase):
    pass
class Stamped:
    created: Mapped[object] = mapped_column(DateTime, server_default=func.now())
class Thing(Base):
    __abstract__ = True
    id: Mapped[int] = mapped_column(primary_key=True)
"""


class Package:
    """A package of modules under a name that no other test has."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.name = f"models_{next(NUMBERS)}_package"
        self.file("__init__", "")

    def file(self, module: str, text: str) -> None:
        path = self.root / self.name / f"{module.replace('.', '/')}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("PACKAGE", self.name), encoding="utf-8")

    def config(self, *modules: str, name: str = "primary") -> DatabaseConfig:
        return self.at(*(f"{self.name}.{module}" for module in modules), name=name)

    def at(self, *paths: str, name: str = "primary") -> DatabaseConfig:
        return DatabaseConfig(
            database_name=DatabaseName(name),
            database_type="postgresql",
            database_url="postgresql://localhost/none",
            root=self.root,
            migrations_dir=self.root / "migrations",
            model_paths=paths,
        )


def names(owned: Sequence[OwnedMetadata]) -> set[str]:
    return {table.fullname for item in owned for table in item.tables}


def sql(config: DatabaseConfig) -> str:
    how = Compilation(config=config, dialect=AUTHORING_DIALECT)
    found = build(how, owned_tables(config))
    return ";\n".join(found.statements)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Package]:
    monkeypatch.setattr(sys, "path", list(sys.path))
    made = Package(tmp_path)
    made.file("base", BASE)
    yield made
    for module in [name for name in sys.modules if name.startswith(made.name)]:
        del sys.modules[module]


def test_databases_that_share_one_base_own_what_their_modules_define(
    package: Package,
) -> None:
    package.file(
        "primary",
        """
from PACKAGE.base import *
class User(Stamped, Thing):
    __tablename__ = "users"
    mood: Mapped[str] = mapped_column(Enum("a", "b", name="mood", metadata=Base.metadata))
    active: Mapped[bool] = mapped_column(Boolean)
counter = Sequence("user_counter", metadata=Base.metadata)
""",
    )
    package.file(
        "analytics",
        """
from PACKAGE.base import *
from PACKAGE.primary import User
class Event(Stamped, Thing):
    __tablename__ = "events"
    kind: Mapped[str] = mapped_column(Enum("x", "y", name="event_kind", metadata=Base.metadata))
    seen: Mapped[bool] = mapped_column(Boolean)
""",
    )
    first, second = package.config("primary"), package.config("analytics", name="analytics")
    assert names(owned_tables(first, [second])) == {"users"}
    assert names(owned_tables(second, [first])) == {"events"}
    own = sql(first)
    assert "CREATE TYPE mood" in own
    assert "CREATE SEQUENCE user_counter" in own
    assert "event" not in own
    other = sql(second)
    assert "CREATE TYPE event_kind" in other
    assert "mood" not in other
    assert "user_counter" not in other


def test_packages_are_walked_and_modules_may_import_each_other(package: Package) -> None:
    package.file("app.__init__", "from PACKAGE.app.users import User")
    package.file(
        "app.users",
        """
from PACKAGE.base import *
class User(Thing):
    __tablename__ = "users"
    orders: Mapped[list["Order"]] = relationship(back_populates="user")
from PACKAGE.app.deep.orders import Order
""",
    )
    package.file("app.deep.__init__", "")
    package.file(
        "app.deep.orders",
        """
from PACKAGE.base import *
class Order(Thing):
    __tablename__ = "orders"
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    user: Mapped["User"] = relationship(back_populates="orders")
from PACKAGE.app.users import User
""",
    )
    assert names(owned_tables(package.config("app"))) == {"users", "orders"}


def test_files_and_folders_may_be_named_by_path(package: Package) -> None:
    package.file("one", "from PACKAGE.base import *\nclass A(Thing):\n    __tablename__ = 'a'\n")
    config = package.at(f"{package.name}/one.py")
    assert names(owned_tables(config)) == {"a"}
    outside = package.root.parent / "elsewhere.py"
    outside.write_text("from sqlalchemy import *\nm = MetaData()\nt = Table('t', m)\n")
    config = package.at(str(outside))
    assert names(owned_tables(config)) == {"t"}


def test_a_file_below_a_folder_on_the_path_has_the_name_that_import_knows(
    package: Package, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = f"inner_{package.name}"
    package.file(f"src.{inner}.__init__", "")
    package.file(f"src.{inner}.base", BASE)
    package.file(
        f"src.{inner}.one",
        f"from {inner}.base import *\nclass A(Thing):\n    __tablename__ = 'a'\n",
    )
    package.file(
        f"src.{inner}.two",
        f"from {inner}.one import *\nclass B(Thing):\n    __tablename__ = 'b'\n",
    )
    source = package.root / package.name / "src"
    monkeypatch.syspath_prepend(str(source))
    monkeypatch.syspath_prepend(str(source / inner))  # as for a script that lies there
    one, two = (str(source / inner / f"{name}.py") for name in ("one", "two"))
    assert names(owned_tables(package.at(two, one))) == {"a", "b"}
    assert names(owned_tables(package.at(str(source / inner / "__init__.py"), one))) == {"a"}


def test_every_form_of_inheritance_and_association_is_owned(package: Package) -> None:
    package.file(
        "shop",
        """
from PACKAGE.base import *
tags = Table("item_tags", Base.metadata, Column("item_id", ForeignKey("items.id")))
class Item(Thing):
    __tablename__ = "items"
    kind: Mapped[str]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "item"}
class Book(Item):  # single table
    pages: Mapped[int | None]
    __mapper_args__ = {"polymorphic_identity": "book"}
class Disc(Item):  # joined
    __tablename__ = "discs"
    id: Mapped[int] = mapped_column(ForeignKey("items.id"), primary_key=True)
    __mapper_args__ = {"polymorphic_identity": "disc"}
class Person(Thing):
    __tablename__ = "people"
    friends: Mapped[list["Person"]] = relationship(
        secondary=Table(
            "friendships", Base.metadata,
            Column("a", ForeignKey("people.id")), Column("b", ForeignKey("people.id")),
        ),
        primaryjoin="Person.id == friendships.c.a",
        secondaryjoin="Person.id == friendships.c.b",
    )
class Boss(Person):  # concrete
    __tablename__ = "bosses"
    id: Mapped[int] = mapped_column(primary_key=True)
    __mapper_args__ = {"concrete": True}
def _hidden():
    class Secret(Thing):
        __tablename__ = "secrets"
_hidden()
""",
    )
    found = names(owned_tables(package.config("shop")))
    assert found == {
        *("items", "discs", "people", "bosses", "secrets"),
        *("item_tags", "friendships"),
    }
    assert "pages INTEGER" in sql(package.config("shop"))


def test_imperative_mappings_and_ddl_events_are_seen(package: Package) -> None:
    package.file(
        "old",
        """
from sqlalchemy import *
from sqlalchemy.orm import registry
mapper_registry = registry()
class Old: pass
old = Table("ancient", mapper_registry.metadata, Column("id", Integer, primary_key=True))
mapper_registry.map_imperatively(Old, old)
event.listen(mapper_registry.metadata, "before_create", DDL("CREATE EXTENSION pgcrypto"))
rule = DDL("CREATE RULE calm AS ON DELETE TO ancient DO INSTEAD NOTHING")
event.listen(old, "after_create", rule)
""",
    )
    text = sql(package.config("old"))
    assert text.index("CREATE EXTENSION pgcrypto") < text.index("CREATE TABLE ancient")
    assert text.index("CREATE RULE calm") > text.index("CREATE TABLE ancient")


EVENTS = """
from PACKAGE.base import *
class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
@event.listens_for(User.__table__, "after_create")
def after(table, connection, **kw):
    """


def test_an_event_may_execute_statements_without_results(package: Package) -> None:
    package.file(
        "talking",
        EVENTS
        + """connection.exec_driver_sql("CREATE INDEX one ON users (id)")
    connection.execute(text("COMMENT ON TABLE users IS '100%'"))
    connection.execute(text("COMMENT ON COLUMN users.id IS :words"), {"words": "it's"})
    connection.execute(DDL("CREATE VIEW v AS SELECT id FROM %(table)s").against(table))
for kind in ("postgresql", "sqlite"):
    made = DDL(f"CREATE VIEW for_{kind} AS SELECT 1").execute_if(dialect=kind)
    event.listen(Base.metadata, "after_create", made)
""",
    )
    text = sql(package.config("talking"))
    assert "for_sqlite" not in text
    for words in (
        "for_postgresql",
        "INDEX one",
        "IS '100%'",
        "IS 'it''s'",
        "AS SELECT id FROM users",
    ):
        assert words in text


@pytest.mark.parametrize(
    ("asks", "words"),
    [
        ("if connection.execute(text('SELECT 1')).scalar(): pass", "cannot run without a database"),
        ("inspect(connection).get_table_names()", "cannot run without a database"),
        ("list(connection.execute(text('SELECT 1')))", "cannot run without a database"),
        ("connection.execute(text('SELECT :x'))", "value is required for bind parameter 'x'"),
    ],
)
def test_an_event_that_queries_the_database_is_reported_with_its_line(
    package: Package, asks: str, words: str
) -> None:
    package.file("asking", EVENTS + asks)
    with pytest.raises(ConfigurationError, match=words) as caught:
        sql(package.config("asking"))
    place = caught.value.location
    assert place is not None and (place.path.name, place.line) == ("asking.py", 8)


def test_models_are_read_for_one_database_at_a_time(package: Package) -> None:
    package.file(
        "alone",
        """
from PACKAGE.base import *
from dbwarden.authoring.collect.desired import ONE_AT_A_TIME
class Alone(Base):
    __tablename__ = "alone" if ONE_AT_A_TIME.locked() else "in_company"
    id: Mapped[int] = mapped_column(primary_key=True)
""",
    )
    how = Compilation(config=package.config("alone"), dialect=AUTHORING_DIALECT)
    assert "CREATE TABLE alone" in str(read_desired(how))


def test_the_storage_of_a_generated_column_is_left_to_the_server_or_written(
    package: Package,
) -> None:
    package.file(
        "generated",
        """
from PACKAGE.base import *
class Twice(Base):
    __tablename__ = "twice"
    id: Mapped[int] = mapped_column(primary_key=True)
    double: Mapped[int] = mapped_column(Computed("id * 2"))
""",
    )
    config = package.config("generated")
    desired = read_desired(Compilation(config=config, dialect=AUTHORING_DIALECT, stored=True))
    assert desired.storage_undecided
    assert "GENERATED ALWAYS AS (id * 2) STORED" in str(desired)
    assert AUTHORING_DIALECT.has_virtual_columns("PostgreSQL 18.6")
    assert not AUTHORING_DIALECT.has_virtual_columns("PostgreSQL 17.10")


def test_an_event_that_changes_the_models_changes_them_for_its_own_run_only(
    package: Package,
) -> None:
    package.file(
        "suited",
        """
from PACKAGE.base import *
class Key(Base):
    __tablename__ = "keys"
    __table_args__ = (CheckConstraint("sort <> ''", name="some_sort"), Index("ix_sort", "sort"))
    id = mapped_column(Integer, primary_key=True)
    sort = mapped_column(Enum("a", "b", name="sort"))
    path = mapped_column(Text)
@event.listens_for(Key.__table__, "before_create")
def suit(table, connection, **kw):
    table.c.sort.type.name = "other"
    table.c.path.type = String(255)
    table.indexes.clear()
    table.constraints -= {c for c in table.constraints if c.name == "some_sort"}
""",
    )
    first = sql(package.config("suited"))
    assert "sort other" in first and "CREATE TYPE sort" in first  # as create_all runs it
    assert "VARCHAR(255)" in first
    assert "some_sort" not in first
    assert sql(package.config("suited")) == first


def test_an_enum_without_a_name_is_reported_with_its_table_and_column(package: Package) -> None:
    package.file(
        "unnamed",
        """
from sqlalchemy import *
metadata = MetaData()
keys = Table("keys", metadata, Column("a", Integer), Column("sort", Enum("x", "y")))
""",
    )
    with pytest.raises(ConfigurationError, match=r"SQL: keys\.sort: .* requires a name"):
        sql(package.config("unnamed"))


def test_an_index_without_a_name_is_reported_with_its_table_and_columns(package: Package) -> None:
    package.file(
        "nameless",
        """
from sqlalchemy import *
metadata = MetaData(naming_convention={"pk": "pk_%(table_name)s"})
id = Column("id", Integer, primary_key=True)
keys = Table("keys", metadata, id, Column("a", Text, index=True))
""",
    )
    with pytest.raises(ConfigurationError, match="index of table keys on a has no name"):
        sql(package.config("nameless"))


def test_models_of_sqlmodel_are_owned_where_they_are_defined(package: Package) -> None:
    pytest.importorskip("sqlmodel", reason="SQLModel is not installed")
    package.file(
        "shared_sqlmodel",
        """
from enum import Enum
from sqlalchemy.orm import registry
from sqlmodel import Field, MetaData, Relationship, SQLModel as Whole
class SQLModel(Whole, registry=registry()):
    metadata = MetaData()
class Named(SQLModel):
    name: str = Field(index=True, max_length=40)
class Mood(str, Enum):
    glad = "glad"
    sad = "sad"
""",
    )
    package.file(
        "heroes",
        """
from datetime import datetime
from sqlalchemy import Column, DateTime, func
from PACKAGE.shared_sqlmodel import *
class Link(SQLModel, table=True):
    team_id: int | None = Field(default=None, foreign_key="team.id", primary_key=True)
    hero_id: int | None = Field(default=None, foreign_key="hero.id", primary_key=True)
class Team(Named, table=True):
    id: int | None = Field(default=None, primary_key=True)
    heroes: list["Hero"] = Relationship(back_populates="teams", link_model=Link)
class Hero(Named, table=True):
    id: int | None = Field(default=None, primary_key=True)
    mood: Mood = Mood.glad
    born: datetime = Field(sa_column=Column(DateTime(timezone=True), server_default=func.now()))
    teams: list[Team] = Relationship(back_populates="heroes", link_model=Link)
class HeroRead(Named):
    id: int
""",
    )
    package.file(
        "places",
        """
from PACKAGE.shared_sqlmodel import *
class Place(Named, table=True):
    id: int | None = Field(default=None, primary_key=True)
""",
    )
    heroes, places = package.config("heroes"), package.config("places", name="other")
    assert names(owned_tables(heroes, (places,))) == {"link", "team", "hero"}
    assert names(owned_tables(places, (heroes,))) == {"place"}
    text = sql(heroes)
    assert "CREATE TYPE mood AS ENUM ('glad', 'sad')" in text
    assert "name VARCHAR(40) NOT NULL" in text
    assert "born TIMESTAMP WITH TIME ZONE DEFAULT now()" in text
    assert "CREATE INDEX ix_hero_name ON hero (name)" in text
    assert "mood" not in sql(places)


def test_a_table_that_two_databases_claim_is_an_error(package: Package) -> None:
    package.file("one", "from PACKAGE.base import *\nclass A(Thing):\n    __tablename__ = 'a'\n")
    first, second = package.config("one"), package.config("one", name="second")
    with pytest.raises(
        ConfigurationError, match="claimed by two databases: primary and second"
    ) as raised:
        owned_tables(first, [second])
    assert "give the replica replica_of= in place of its model_paths" in str(raised.value.next_step)
    both = replace(first, overlap_models=True)
    assert names(owned_tables(both, [second])) == {"a"}


def test_a_foreign_key_cannot_leave_the_database(package: Package) -> None:
    package.file("one", "from PACKAGE.base import *\nclass A(Thing):\n    __tablename__ = 'a'\n")
    package.file(
        "two",
        "from PACKAGE.one import *\nclass B(Thing):\n    __tablename__ = 'b'\n"
        "    a_id: Mapped[int] = mapped_column(ForeignKey('a.id'))\n",
    )
    with pytest.raises(ConfigurationError, match=r"b\.a_id leads to a, which is not a table of"):
        owned_tables(package.config("two"))
    package.file(
        "three",
        "from PACKAGE.one import *\nclass C(Thing):\n    __tablename__ = 'c'\n"
        "    x: Mapped[int] = mapped_column(ForeignKey('nowhere.id'))\n",
    )
    with pytest.raises(ConfigurationError, match=r"c\.x leads to nowhere, which no module"):
        owned_tables(package.config("three"))


def test_all_missing_modules_of_foreign_keys_are_named_together(package: Package) -> None:
    for name in ("one", "two"):
        package.file(
            name,
            f"from PACKAGE.base import *\nclass T{name}(Thing):\n    __tablename__ = '{name}'\n",
        )
    package.file(
        "three",
        "from PACKAGE import one, two\nfrom PACKAGE.base import *\nclass C(Thing):\n"
        "    __tablename__ = 'c'\n"
        "    two: Mapped[int] = mapped_column(ForeignKey('two.id'))\n"
        "    one: Mapped[int] = mapped_column(ForeignKey('one.id'))\n",
    )
    with pytest.raises(ConfigurationError) as caught:
        owned_tables(package.config("three"))
    one, two = f"{package.name}.one", f"{package.name}.two"
    assert caught.value.next_step == (
        f"Add {one}, {two} to model_paths, or keep the value in a plain column."
    )


def test_an_index_without_columns_is_reported_by_its_name(package: Package) -> None:
    package.file(
        "one",
        "from PACKAGE.base import *\nclass A(Thing):\n    __tablename__ = 'a'\n"
        "    __table_args__ = (Index('by_nothing'),)\n",
    )
    with pytest.raises(ConfigurationError, match="index by_nothing of table a has no columns"):
        sql(package.config("one"))


def test_a_name_that_is_too_long_is_reported_with_its_table(package: Package) -> None:
    package.file(
        "one",
        "from PACKAGE.base import *\nclass A(Thing):\n    __tablename__ = 'a'\n"
        f"    __table_args__ = (CheckConstraint('id > 0', name='{'long' * 20}'),)\n",
    )
    with pytest.raises(ConfigurationError, match=r"written as SQL: table a: Identifier 'longlong"):
        sql(package.config("one"))


def test_a_foreign_key_finds_its_table_in_the_namespace_of_the_metadata(package: Package) -> None:
    package.file(
        "spaced",
        "from sqlalchemy import *\nmetadata = MetaData(schema='dev')\n"
        "a = Table('a', metadata, Column('id', Integer, primary_key=True))\n"
        "b = Table('b', metadata, Column('a_id', ForeignKey('a.id')))\n"
        "c = Table('c', metadata, Column('a_id', ForeignKey(a.c.id)))\n",
    )
    assert names(owned_tables(package.config("spaced"))) == {"dev.a", "dev.b", "dev.c"}


def test_an_import_error_names_file_line_and_cause(package: Package) -> None:
    package.file("broken", "import os\n\nfrom PACKAGE.inner import x\n")
    package.file("inner", "a = 1\n\n\nx = a / 0\n")
    with pytest.raises(ConfigurationError, match="ZeroDivisionError") as caught:
        owned_tables(package.config("broken"))
    location = caught.value.location
    assert location is not None
    assert (location.path.name, location.line) == ("inner.py", 4)
    package.file("typo", "def x(:\n")
    with pytest.raises(ConfigurationError, match="SyntaxError") as caught:
        owned_tables(package.config("typo"))
    assert caught.value.location is not None
    assert caught.value.location.line == 1
    assert "instead of all" not in (caught.value.next_step or "")
    with pytest.raises(ConfigurationError, match="there is no such module"):
        owned_tables(package.config("missing"))


def test_a_module_of_a_package_can_be_left_out(package: Package) -> None:
    package.file("broken", "1 / 0\n")
    with pytest.raises(ConfigurationError, match="ZeroDivisionError") as caught:
        owned_tables(package.at(package.name))
    package.file("one", "from PACKAGE.base import *\nclass A(Thing):\n    __tablename__ = 'a'\n")
    with pytest.raises(ConfigurationError, match="ZeroDivisionError") as caught:
        owned_tables(package.at(package.name))
    advice = caught.value.next_step or ""
    assert f"add '!{package.name}.broken' to model_paths" in advice
    assert f"instead of all of {package.name}: " in advice
    assert f"{package.name}.one" in advice
    assert names(owned_tables(package.at(package.name, f"!{package.name}.broken"))) == {"a"}
    assert names(owned_tables(package.at(package.name, f"!{package.name}/broken.py"))) == {"a"}
    with pytest.raises(ConfigurationError, match=r"excludes .*; did you mean .*broken'"):
        owned_tables(package.at(package.name, f"!{package.name}.brokn"))


def test_a_package_alone_is_one_module_without_its_contents(package: Package) -> None:
    table = "from PACKAGE.base import *\nclass A(Thing):\n    __tablename__ = '{}'\n"
    package.file("inner.__init__", table.format("own"))
    package.file("inner.other", table.replace("class A", "class B").format("other"))
    package.file("inner.broken", "1 / 0\n")
    assert names(owned_tables(package.config("inner.__init__"))) == {"own"}
    config = package.at(f"{package.name}.inner", f"!{package.name}.inner.broken")
    assert names(owned_tables(config)) == {"own", "other"}


def test_paths_that_lead_to_no_module_are_found_without_importing_any(package: Package) -> None:
    package.file("logging", "1 / 0\n")
    package.file("dynamic.__init__", "__path__ = __path__ + ['elsewhere']\n1 / 0\n")
    there = ("logging", "dynamic", "dynamic.somewhere")
    assert unknown_paths(package.at(*(f"{package.name}.{name}" for name in there))) == ()
    wrong = package.at(f"{package.name}.loging", f"!{package.name}.logging.x", "models/none.py")
    first, second, third = unknown_paths(wrong)
    assert first.endswith(f"no such module; did you mean '{package.name}.logging'?")
    assert f"names {package.name}.logging.x, but there is no such module" in second
    assert third == "model_paths names models/none.py, but there is no such file or folder"
    assert not [name for name in sys.modules if name.startswith(f"{package.name}.dynamic")]


def test_modules_that_only_import_models_name_the_defining_modules(package: Package) -> None:
    package.file("one", "from PACKAGE.base import *\nclass A(Thing):\n    __tablename__ = 'a'\n")
    package.file("all", "from PACKAGE.one import A\n")
    with pytest.raises(ConfigurationError, match="define no model") as caught:
        owned_tables(package.config("all"))
    assert f"They import models from {package.name}.one" in (caught.value.next_step or "")


@pytest.mark.parametrize(
    "text",
    [
        "from sqlalchemy import *\nSequence('s', metadata=MetaData())\nm = MetaData()\n",
        "from sqlalchemy.orm import DeclarativeBase\nclass Base(DeclarativeBase): pass\n",
        "from PACKAGE.base import Thing\n",
        "from sqlalchemy import MetaData\nmetadata = MetaData()\n",
    ],
)
def test_a_module_of_models_without_a_table_is_accepted(package: Package, text: str) -> None:
    package.file("empty", text)
    assert names(owned_tables(package.config("empty"))) == set()


@pytest.mark.parametrize("text", ["", "def create_app(): ...\n", "import sqlalchemy\n"])
def test_a_module_without_sqlalchemy_objects_is_refused(package: Package, text: str) -> None:
    package.file("app", text)
    with pytest.raises(ConfigurationError, match="define no model"):
        owned_tables(package.config("app"))


def test_an_alembic_environment_inside_a_package_is_no_model(package: Package) -> None:
    package.file("one", "from PACKAGE.base import *\nclass A(Thing):\n    __tablename__ = 'a'\n")
    package.file("alembic.__init__", "")
    package.file("alembic.env", "raise RuntimeError('only Alembic runs this')\n")
    package.file("alembic.versions.first", "raise RuntimeError('nor this')\n")
    assert names(owned_tables(package.at(package.name))) == {"a"}
    assert names(owned_tables(package.at(f"{package.name}/"))) == {"a"}


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("app.modles", "app.models"),
        ("ap.models", "app.models"),
        ("app.models.User", "app.models"),
        ("ap.modells.User", "app.models"),
        ("app.models", None),
        ("app.zzz", None),
        ("zzz", None),
    ],
)
def test_a_misspelled_module_or_a_class_suggests_the_module(
    tmp_path: Path, written: str, meant: str | None
) -> None:
    (tmp_path / "app").mkdir()
    (tmp_path / "app" / "models.py").touch()
    assert nearest(tmp_path, written) == meant
