"""Models generated from a live database lead back to it."""

from dataclasses import replace

from dbwarden.operations.diff import drift
from dbwarden.operations.generate_models import generate_models
from tests.integration.authoring.conftest import Project

RICH = (
    "CREATE SCHEMA audit",
    "CREATE EXTENSION citext",
    "CREATE TYPE mood AS ENUM ('sad', 'it''s ok')",
    "CREATE DOMAIN positive AS int CHECK (VALUE > 0)",
    "CREATE FUNCTION tag() RETURNS text LANGUAGE sql AS $$ SELECT 'a:b%' $$",
    """CREATE TABLE users (
        id serial PRIMARY KEY, email citext NOT NULL UNIQUE, mood mood DEFAULT 'sad' NOT NULL,
        class text COLLATE "C", amount numeric(10,2), at timestamptz(3) DEFAULT now(),
        born date, data jsonb DEFAULT '{"a":1}' NOT NULL, tags text[], ip inet, size positive,
        big bigint GENERATED ALWAYS AS IDENTITY, twice int GENERATED ALWAYS AS (3 * 2) STORED,
        tag text DEFAULT tag(), boss_id int REFERENCES users ON DELETE SET NULL,
        CONSTRAINT filled CHECK (email <> 'x:y' AND class IN ('a', 'b')))""",
    "CREATE INDEX ix_low ON users (lower(class) text_pattern_ops DESC) WHERE mood = 'sad'",
    "CREATE INDEX ix_gin ON users USING gin (data jsonb_path_ops)",
    "COMMENT ON COLUMN users.email IS 'who''s that'",
    "CREATE TABLE audit.log (at timestamp, what varchar(20), level smallint)",
    """CREATE TABLE orders (id bigint, line int, user_id int NOT NULL, "Odd name" uuid,
        PRIMARY KEY (id, line),
        FOREIGN KEY (user_id) REFERENCES users DEFERRABLE INITIALLY DEFERRED)""",
    "CREATE TABLE parts (id int NOT NULL, at date NOT NULL) PARTITION BY RANGE (at)",
    "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM ('2024-01-01') TO ('2025-01-01')",
    "CREATE VIEW happy AS SELECT id, email FROM users WHERE mood <> 'sad'",
    "CREATE SEQUENCE counter START 5",
    "CREATE TABLE counted (id int PRIMARY KEY DEFAULT nextval('counter'))",
    "ALTER TABLE users ENABLE ROW LEVEL SECURITY",
)


async def test_generated_models_lead_back_to_the_database(project: Project) -> None:
    for statement in RICH:
        await project.fetch(statement)
    made = await generate_models(project.config)
    assert made.tables == 6
    assert "class Users(Base):" in made.code
    assert "email: Mapped[str] = mapped_column(CITEXT" in made.code
    assert "id: Mapped[int] = mapped_column(Integer, primary_key=True)" in made.code
    path = project.file("models_generated.py", "")
    path.write_text(made.code, encoding="utf-8")
    config = replace(project.config, model_paths=("models_generated.py",))
    found = await drift(config, models=True)
    assert found.differences == ()


async def test_expressions_are_created_after_the_functions_they_call(
    project: Project,
) -> None:
    for statement in (
        "CREATE TYPE mood AS ENUM ('sad', 'ok')",
        "CREATE FUNCTION usual() RETURNS mood LANGUAGE sql IMMUTABLE AS $$ SELECT 'ok'::mood $$",
        "CREATE TABLE users (id int, mood mood DEFAULT usual(), CHECK (mood > usual()))",
        "CREATE FUNCTION many() RETURNS bigint LANGUAGE sql AS 'SELECT count(*) FROM users'",
        "ALTER TABLE users ADD count bigint DEFAULT many()",
        "CREATE FUNCTION label(users) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT $1.id::text'",
        "CREATE INDEX labels ON users (label(users))",
    ):
        await project.fetch(statement)
    made = await generate_models(project.config)
    assert "ALTER COLUMN mood SET DEFAULT usual()" in made.code


async def test_comments_and_info_of_a_column_are_generated(project: Project) -> None:
    for statement in (
        "CREATE TABLE users (id serial PRIMARY KEY, email varchar(200) NOT NULL UNIQUE, age int)",
        "CREATE TABLE posts (id int CONSTRAINT own_name PRIMARY KEY, user_id int NOT NULL "
        "REFERENCES users ON DELETE CASCADE, editor_id int CONSTRAINT edits REFERENCES users)",
        "CREATE INDEX ix_posts_user_id ON posts (user_id)",
        "CREATE TABLE hens (id int PRIMARY KEY, egg_id int)",
        "CREATE TABLE eggs (id int PRIMARY KEY, hen_id int REFERENCES hens)",
        "ALTER TABLE hens ADD FOREIGN KEY (egg_id) REFERENCES eggs",
    ):
        await project.fetch(statement)
    code = (await generate_models(project.config)).code
    for line in (
        "id: Mapped[int] = mapped_column(Integer, primary_key=True)",
        "email: Mapped[str] = mapped_column(String(200), unique=True)",
        "age: Mapped[int | None] = mapped_column(Integer)",
        "user_id: Mapped[int] = mapped_column("
        "Integer, ForeignKey('users.id', ondelete='CASCADE'), index=True)",
        "PrimaryKeyConstraint('id', name='own_name'),",
        "ForeignKeyConstraint(['editor_id'], ['users.id'], name='edits'),",
        "ForeignKeyConstraint(['egg_id'], ['eggs.id'], name='hens_egg_id_fkey', use_alter=True),",
    ):
        assert f"{line}\n" in code
    assert "nullable" not in code
