"""Grants and default privileges, read on demand."""

from tests.acceptance.cases import Case

T = (
    "CREATE TABLE t (a int, b int); CREATE SEQUENCE s; CREATE SCHEMA n;"
    "CREATE FUNCTION f(x int) RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE TYPE e AS ENUM ('a');"
)
ROLE = "pg_monitor"  # a role that every server has
DEFAULTS = (
    f"CREATE SCHEMA n; ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO {ROLE};"
    f"ALTER DEFAULT PRIVILEGES GRANT ALL ON SEQUENCES TO {ROLE};"
    f"ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO {ROLE};"
    f"ALTER DEFAULT PRIVILEGES GRANT ALL ON TYPES TO {ROLE};"
    f"ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO {ROLE};"
    f"ALTER DEFAULT PRIVILEGES IN SCHEMA n GRANT SELECT ON TABLES TO PUBLIC;"
    "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;"
    "ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC;"
)
"""What Supabase and others set up, and more."""

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
    *(
        Case(
            name=f"default privileges taken back: {name}",
            old=DEFAULTS,
            new=DEFAULTS + new,
            privileges=True,
        )
        for name, new in {
            "table": f"CREATE TABLE u (a int); REVOKE ALL ON u FROM {ROLE};",
            "some of them": f"CREATE TABLE u (a int); REVOKE INSERT, UPDATE ON u FROM {ROLE};",
            "left as they are": "CREATE TABLE u (a int);",
            "view": f"CREATE VIEW v AS SELECT 1 AS one; REVOKE ALL ON v FROM {ROLE};",
            "materialized view": "CREATE MATERIALIZED VIEW v AS SELECT 1 AS one;"
            f"REVOKE ALL ON v FROM {ROLE}; GRANT SELECT ON v TO PUBLIC;",
            "sequence": f"CREATE SEQUENCE q; REVOKE ALL ON SEQUENCE q FROM {ROLE};",
            "of a column": "CREATE TABLE u (a serial, b int GENERATED ALWAYS AS IDENTITY);"
            f"REVOKE ALL ON u FROM {ROLE}; REVOKE ALL ON SEQUENCE u_a_seq FROM {ROLE};"
            f"REVOKE USAGE ON SEQUENCE u_b_seq FROM {ROLE};",
            "function": "CREATE FUNCTION g(x int) RETURNS int LANGUAGE sql AS 'SELECT 1';"
            f"REVOKE ALL ON FUNCTION g(int) FROM {ROLE};"
            "GRANT EXECUTE ON FUNCTION g(int) TO PUBLIC;",
            "domain": f"CREATE DOMAIN d AS int; REVOKE ALL ON TYPE d FROM {ROLE};"
            "GRANT USAGE ON TYPE d TO PUBLIC;",
            "enum": f"CREATE TYPE k AS ENUM ('a'); REVOKE ALL ON TYPE k FROM {ROLE};",
            "namespace": f"CREATE SCHEMA m; REVOKE ALL ON SCHEMA m FROM {ROLE};",
            "in a namespace": f"CREATE TABLE n.u (a int); REVOKE DELETE ON n.u FROM {ROLE};",
            "columns": f"CREATE TABLE u (a int, b int); REVOKE ALL ON u FROM {ROLE};"
            f"GRANT SELECT (a) ON u TO {ROLE} WITH GRANT OPTION;",
        }.items()
    ),
    Case(
        name="default privileges come after what is older",
        old="",
        new="CREATE SCHEMA n; CREATE FUNCTION n.f() RETURNS int LANGUAGE sql AS 'SELECT 1';"
        "CREATE TABLE n.t (a int); CREATE VIEW n.v AS SELECT n.f() AS f FROM n.t;"
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA n GRANT EXECUTE ON FUNCTIONS TO {ROLE};"
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA n GRANT ALL ON TABLES TO {ROLE} WITH GRANT OPTION;"
        "ALTER DEFAULT PRIVILEGES IN SCHEMA n GRANT EXECUTE ON FUNCTIONS TO PUBLIC;"
        "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;"
        f"CREATE TABLE n.later (a int); REVOKE INSERT ON n.later FROM {ROLE};"
        "CREATE FUNCTION n.g() RETURNS int LANGUAGE sql AS 'SELECT 1';",
        privileges=True,
    ),
    Case(
        name="a view is made anew under default privileges",
        old=DEFAULTS + f"CREATE VIEW v AS SELECT 1 AS one; REVOKE ALL ON v FROM {ROLE};"
        "GRANT SELECT ON v TO PUBLIC;",
        new=DEFAULTS
        + f"CREATE VIEW v AS SELECT 'x'::text AS two, 1 AS one; REVOKE ALL ON v FROM {ROLE};"
        "GRANT SELECT ON v TO PUBLIC;",
        privileges=True,
    ),
    *(
        Case(name=f"table and columns: {name}", old=T + old, new=T + new, privileges=True)
        for name, old, new in (
            ("one column", f"GRANT SELECT ON t TO {ROLE};", f"GRANT SELECT (a) ON t TO {ROLE};"),
            (
                "with grant option",
                f"GRANT SELECT ON t TO {ROLE} WITH GRANT OPTION; GRANT UPDATE (a) ON t TO {ROLE};",
                f"GRANT SELECT (a), UPDATE (a, b) ON t TO {ROLE} WITH GRANT OPTION;",
            ),
            (
                "both, then columns alone",
                "GRANT SELECT, INSERT ON t TO PUBLIC; GRANT SELECT (a) ON t TO PUBLIC;",
                "GRANT SELECT (a), INSERT (b) ON t TO PUBLIC;",
            ),
            (
                "columns keep the grant option that the table loses",
                f"GRANT SELECT, SELECT (a) ON t TO {ROLE} WITH GRANT OPTION;",
                f"GRANT SELECT ON t TO {ROLE}; GRANT SELECT (a) ON t TO {ROLE} WITH GRANT OPTION;",
            ),
        )
    ),
]
