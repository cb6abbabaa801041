"""Models with inheritance, models of a public application, and the ready-made tests."""

import sys

import anyio

from dbwarden.operations.verify import verify
from tests.integration.authoring.lite import Lite
from tests.integration.authoring.sqlite.models import SHOP

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


async def test_the_result_tables_of_celery(lite: Lite) -> None:
    lite.options["model_paths"] = ("celery.backends.database.models",)
    assert "CREATE TABLE celery_taskmeta" in await lite.made("celery")
