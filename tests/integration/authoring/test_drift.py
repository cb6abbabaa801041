"""diff and check --models find differences between models, files and live database."""

from dbwarden.operations.diff import check_models, drift
from dbwarden.operations.generate_models import generate_models
from dbwarden.operations.schema import schema_sql
from tests.integration.authoring.conftest import Project
from tests.integration.authoring.handwritten import NOT_NULLS, USER, USERS


async def test_check_models_finds_changes_missing_in_the_files(project: Project) -> None:
    project.migration(1, USERS)
    project.models(USER + "    age: Mapped[int | None]\n")
    found = await check_models(project.config)
    assert [(item.change, item.what) for item in found.differences] == [("add", "column users.age")]


async def test_drift_is_found_and_its_sql_leads_back_to_the_files(project: Project) -> None:
    project.migration(1, USERS)
    await project.migrate()
    assert (await drift(project.config)).clean
    await project.fetch("ALTER TABLE users ADD COLUMN sneaky int")
    found = await drift(project.config)
    assert [item.change for item in found.differences] == ["drop"]
    assert found.sql == "ALTER TABLE users DROP COLUMN sneaky;"
    await project.fetch(found.sql)
    assert (await drift(project.config)).clean


async def test_drift_from_the_models(project: Project) -> None:
    project.migration(1, "-- upgrade\nCREATE TABLE users (id serial PRIMARY KEY);\n")
    project.models(USER)
    await project.migrate()
    found = await drift(project.config, models=True)
    assert [item.what for item in found.differences] == ["column users.email"]


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
