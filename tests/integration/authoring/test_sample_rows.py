"""The sample rows with which PostgreSQL migrations are tried, and the findings."""

from dbwarden.kinds import authoring_dialect_for
from tests.integration.authoring.conftest import Project


async def test_rows_satisfy_keys_checks_and_types_where_they_can(project: Project) -> None:
    async with authoring_dialect_for("postgresql").open(project.config) as scratch:
        database = await scratch.create()
        await database.execute(
            [
                "CREATE DOMAIN word AS text CHECK (VALUE <> '')",
                "CREATE TABLE p (k text PRIMARY KEY, kind text NOT NULL CHECK (kind IN ('x','y')),"
                " n int NOT NULL CHECK (n BETWEEN 10 AND 11))",
                "CREATE TABLE c (id int PRIMARY KEY, p text NOT NULL REFERENCES p, j jsonb NOT NULL"
                ", w word NOT NULL, r int4range NOT NULL, o oid NOT NULL, m macaddr8 NOT NULL)",
                "CREATE TABLE never (a int PRIMARY KEY, b int NOT NULL CHECK (b < 0 AND b > 9))",
                "CREATE TABLE of_never (a int PRIMARY KEY REFERENCES never"
                " DEFERRABLE INITIALLY DEFERRED)",
                "CREATE TABLE of_that (a int REFERENCES of_never)",
                "CREATE TABLE loop (id int PRIMARY KEY, up int NOT NULL REFERENCES loop)",
            ]
        )
        schema = await database.read()
        filled = await database.add_rows(schema)
    assert set(filled) == {"public.p", "public.c", "public.loop"}


async def test_rows_that_refer_to_a_refused_table_do_not_fail(
    project: Project,
) -> None:
    models = """
        class Parent(Base):
            __tablename__ = "parents"
            id: Mapped[int] = mapped_column(primary_key=True)
            __table_args__ = (CheckConstraint("id < 0 AND id > 9"),)

        class Child(Base):
            __tablename__ = "children"
            id: Mapped[int] = mapped_column(primary_key=True)
            parent: Mapped[int] = mapped_column(
                ForeignKey("parents.id", deferrable=True, initially="DEFERRED")
            )
    """
    project.models(models)
    await project.made()
    project.models(models.replace("deferrable", "onupdate='CASCADE', deferrable"))
    result = await project.make()
    assert not [note for note in result.notes if "ails where tables have rows" in note]


async def test_a_dropped_required_column_is_reported_for_the_rollback(project: Project) -> None:
    models = """
        class Thing(Base):
            __tablename__ = "things"
            id: Mapped[int] = mapped_column(primary_key=True)
            settings: Mapped[dict] = mapped_column(JSONB)
    """
    project.models(models)
    await project.made()
    project.models(models.replace("settings", "name: Mapped[str]\n            settings"))
    await project.made(allow_failing_on_rows=True)
    project.models(models)
    result = await project.make(allow_drop=["things.name"])
    assert any(note.startswith("The rollback fails where tables have") for note in result.notes)
