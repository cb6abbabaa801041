"""Three databases: SQLite files by default, PostgreSQL when the environment names one.

`make demo` and `make demo DB=postgresql` run this example; it works by hand too:

    cd examples/three_databases && dbwarden migrate --all
"""

import os

from dbwarden import database_config

KIND = os.environ.get("DEMO_KIND", "sqlite")
# SQLite: a folder with one file a database. PostgreSQL: a server with one database each.
WHERE = os.environ.get("DEMO_WHERE", "sqlite:///.")
SUFFIX = ".db" if KIND == "sqlite" else ""

database_config(
    database_name="primary",
    default=True,
    database_type=KIND,
    database_url=f"{WHERE}/primary{SUFFIX}",
)

database_config(
    database_name="analytics",
    database_type=KIND,
    database_url=f"{WHERE}/analytics{SUFFIX}",
)

database_config(
    database_name="logging",
    database_type=KIND,
    database_url=f"{WHERE}/logging{SUFFIX}",
)
