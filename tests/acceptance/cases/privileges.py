"""Grants and default privileges, read on demand."""

from tests.acceptance.cases import Case

T = (
    "CREATE TABLE t (a int, b int); CREATE SEQUENCE s; CREATE SCHEMA n;"
    "CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TYPE e AS ENUM ('a');"
)
ROLE = "pg_monitor"  # a role that every server has

CASES = [
    Case(
        name="grants",
        old=T,
        new=T + f"GRANT SELECT, INSERT ON t TO {ROLE}; GRANT UPDATE (b) ON t TO {ROLE};"
        f"GRANT USAGE ON SEQUENCE s TO {ROLE}; GRANT USAGE ON SCHEMA n TO {ROLE};"
        "REVOKE EXECUTE ON FUNCTION f(int) FROM PUBLIC; REVOKE USAGE ON TYPE e FROM PUBLIC;"
        f"GRANT EXECUTE ON FUNCTION f(int) TO {ROLE} WITH GRANT OPTION;",
        privileges=True,
    ),
    Case(
        name="fewer grants",
        old=T + f"GRANT SELECT, INSERT ON t TO {ROLE} WITH GRANT OPTION;",
        new=T + f"GRANT SELECT ON t TO {ROLE};",
        privileges=True,
    ),
    Case(
        name="default privileges",
        old=T,
        new=T + f"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {ROLE};"
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA n GRANT USAGE ON SEQUENCES TO {ROLE};"
        "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;",
        privileges=True,
    ),
]
