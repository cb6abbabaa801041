"""Every migration starts in a fresh session, also when files are replayed."""

from dbwarden.operations.diff import drift
from dbwarden.operations.migrate import migrate
from dbwarden.operations.verify import verify
from tests.integration.authoring.conftest import Project

SETS_EVERYTHING = """
    -- upgrade
    CREATE SCHEMA app;
    SET search_path TO app;
    SET check_function_bodies = off;
    CREATE TABLE a (id int PRIMARY KEY);
    CREATE TEMP TABLE b (other text);
    PREPARE p AS SELECT 1;
    DECLARE c CURSOR WITH HOLD FOR SELECT 1;
    SET SESSION AUTHORIZATION pg_monitor;
    SET ROLE pg_monitor;
    -- rollback
    SET search_path TO app;
    DROP TABLE a;
    DROP SCHEMA app;
"""
AS_A_DUMP = """
    -- upgrade
    SET row_security = off;
    SELECT pg_catalog.set_config('search_path', '', false);
    CREATE TABLE public.b (id int PRIMARY KEY, n int);
    -- rollback
    DROP TABLE b;
"""
SEES_NOTHING_OF_IT = """
    -- upgrade
    DO $$ BEGIN
        ASSERT current_user <> 'pg_monitor';
        ASSERT current_setting('row_security') = 'on';
        ASSERT current_setting('check_function_bodies') = 'on';
    END $$;
    PREPARE p AS SELECT 1;
    DECLARE c CURSOR WITH HOLD FOR SELECT 1;
    CREATE TEMP TABLE b (other text);
    ALTER TABLE public.b ADD m int;
    CREATE TABLE c (id int PRIMARY KEY);
    -- rollback
    DROP TABLE c;
    ALTER TABLE b DROP m;
"""
IN_STEPS = """
    -- upgrade
    SELECT set_config('search_path', 'app', false);
    VACUUM (ANALYZE) a;
    CREATE TABLE d (id int PRIMARY KEY);
    -- rollback
    DROP TABLE app.d;
"""
WHERE = (
    "SELECT schemaname || '.' || tablename AS name FROM pg_tables WHERE tablename < 'd2' ORDER BY 1"
)


async def test_settings_of_one_migration_do_not_reach_the_next(project: Project) -> None:
    for version, text in enumerate((SETS_EVERYTHING, AS_A_DUMP, SEES_NOTHING_OF_IT, IN_STEPS), 1):
        project.migration(version, text)
    for _ in range(2):
        found = await verify(project.config)
        assert [(item.verdict, item.problem) for item in found.migrations] == [("exact", None)] * 4
    await migrate(project.config)
    tables = [row["name"] for row in await project.fetch(WHERE)]
    assert tables == ["app.a", "app.d", "public.b", "public.c"]
    for _ in range(2):
        assert (await drift(project.config)).clean
