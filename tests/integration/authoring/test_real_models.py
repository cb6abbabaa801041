"""Models with many features of SQLAlchemy at once, in both directions."""

from tests.integration.authoring.conftest import Project

REAL = """
import uuid
from sqlalchemy.dialects.postgresql import ExcludeConstraint, TSRANGE, HSTORE, TSVECTOR

NAMES = {
    "ix": "ix_%(column_0_N_label)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}
class Model(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMES)

class Timestamped:
    created_at: Mapped[object] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), index=True
    )
    @declared_attr
    def owner_id(cls) -> Mapped[int | None]:
        return mapped_column(ForeignKey("staff.people.id", ondelete="SET NULL"))

class Team(Model):
    __tablename__ = "teams"
    __table_args__ = (
        ForeignKeyConstraint(["lead_id"], ["staff.people.id"], use_alter=True, name="fk_lead"),
        {"schema": "staff", "comment": "100% of the teams: all"},
    )
    id: Mapped[uuid.UUID] = mapped_column(
        primary_key=True, server_default=text("md5(random()::text)::uuid"))
    lead_id: Mapped[int | None]
    motto: Mapped[str] = mapped_column(Text, server_default="it's: \\"50%\\"")

class Person(Model):
    __tablename__ = "people"
    __table_args__ = (
        CheckConstraint("age > 0 AND name NOT IN ('a:b', '%')", name="sane"),
        Index("ix_low", text("lower(name) varchar_pattern_ops"), unique=True),
        Index("ix_tags", "tags", postgresql_using="gin"),
        Index("ix_adult", "age", "name", postgresql_where=text("age >= 18"),
              postgresql_include=["kind"]),
        {"schema": "staff"},
    )
    id: Mapped[int] = mapped_column(BigInteger, Identity(always=True, start=100), primary_key=True)
    name: Mapped[str] = mapped_column(String(80))
    age: Mapped[int | None] = mapped_column(SmallInteger)
    kind: Mapped[str] = mapped_column(String(20))
    team_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("staff.teams.id"))
    tags: Mapped[list[str]] = mapped_column(ARRAY(String), server_default="{}")
    options: Mapped[dict] = mapped_column(JSONB, server_default=text("'{\\"a\\": [1]}'::jsonb"))
    shout: Mapped[str | None] = mapped_column(Computed("upper(name)", persisted=True))
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "person"}

class Manager(Person):
    __tablename__ = "managers"
    __table_args__ = {"schema": "staff"}
    id: Mapped[int] = mapped_column(ForeignKey("staff.people.id"), primary_key=True)
    bonus: Mapped[object] = mapped_column(Numeric(10, 2), server_default="0")
    __mapper_args__ = {"polymorphic_identity": "manager"}

class Intern(Person):
    school: Mapped[str | None]
    __mapper_args__ = {"polymorphic_identity": "intern"}

class State(enum.Enum):
    open = "open"
    Closed = "closed"

class Ticket(Timestamped, Model):
    __tablename__ = "Tickets"
    id: Mapped[int] = mapped_column(primary_key=True)
    state: Mapped[State] = mapped_column(Enum(State, name="TicketState"), server_default="open")
    states: Mapped[list] = mapped_column(ARRAY(Enum("x", "y", name="letters")), nullable=True)
    order: Mapped[int] = mapped_column("order", Integer, Sequence("ticket_order", start=10),
        server_default=text("nextval('ticket_order')"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("Tickets.id"), unique=True)
    during: Mapped[object] = mapped_column(TSRANGE, nullable=True)
    search: Mapped[object] = mapped_column(
        TSVECTOR, Computed("to_tsvector('english', 'x')", persisted=True), nullable=True)
    __table_args__ = (ExcludeConstraint(("during", "&&"), name="no_overlap", using="gist"),)

watchers = Table(
    "watchers", Model.metadata,
    Column("ticket_id", ForeignKey("Tickets.id", ondelete="CASCADE"), primary_key=True),
    Column("person_id", ForeignKey("staff.people.id", deferrable=True, initially="DEFERRED"),
           primary_key=True),
)
no_key = Table("no_key", Model.metadata, Column("a", Integer, nullable=False), Column("b", Date))
event.listen(Model.metadata, "before_create", DDL("CREATE SCHEMA IF NOT EXISTS staff"))
event.listen(Model.metadata, "before_create", DDL("CREATE EXTENSION IF NOT EXISTS hstore"))
event.listen(Ticket.__table__, "after_create", DDL(
    "CREATE FUNCTION bump() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN NEW.created_at := now(); RETURN NEW; END $$"))
event.listen(Ticket.__table__, "after_create", DDL(
    "CREATE TRIGGER bump BEFORE UPDATE ON \\"Tickets\\" FOR EACH ROW EXECUTE FUNCTION bump()"))
event.listen(Model.metadata, "after_create", DDL(
    "CREATE VIEW open_tickets AS SELECT id, state FROM \\"Tickets\\" WHERE state = 'open'"))
"""

CHANGES = (
    ("String(80)", "String(120)"),
    ('"50%\\"', '"60%\\"'),
    ("age > 0", "age > 1"),
    ('"x", "y", name', '"x", "y", "z", name'),
    ("WHERE state = 'open'", "WHERE state <> 'Closed'"),
    ("upper(name)", "lower(name)"),
    ("NEW.created_at := now()", "NEW.created_at := clock_timestamp()"),
    ("age >= 18", "age >= 21"),
    ('Column("b", Date)', 'Column("b", Date), Column("c", Interval)'),
    ('ondelete="SET NULL"', 'ondelete="CASCADE"'),
)


async def test_a_rich_schema_is_built_changed_and_rolled_back(project: Project) -> None:
    project.models(REAL)
    first = await project.made("all")
    assert "-- Verdict: exact" in first
    changed = REAL
    for old, new in CHANGES:
        assert old in changed
        changed = changed.replace(old, new)
    project.models(changed)
    second = await project.made("many changes", allow_drop=("staff.people.shout",))
    assert "-- rollback" in second
    project.models(REAL)
    back = await project.made(
        "and back", allow_drop=("no_key.c", "letters.z", "staff.people.name", "staff.people.shout")
    )
    assert "DROP COLUMN c" in back
