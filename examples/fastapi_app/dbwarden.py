"""The databases of this application: SQLite files here, or what APP_DATABASES names.

Set APP_DATABASES to a server, such as postgresql://user:password@localhost, to run on PostgreSQL.
"""

import os

from dbwarden import database_config, tenant_databases

SERVER = os.environ.get("APP_DATABASES", "sqlite:///data")
KIND = SERVER.partition(":")[0]
SUFFIX = ".db" if KIND == "sqlite" else ""
# There is no real replica on your machine: the primary itself, where nobody may write.
STAND_IN = {
    "sqlite": f"sqlite:///file:{SERVER.removeprefix('sqlite:///')}/app.db?mode=ro&uri=true",
    "postgresql": f"{SERVER}/app?options=-c%20default_transaction_read_only%3Don",
}

database_config(
    database_name="primary",
    default=True,
    database_type=KIND,
    database_url=f"{SERVER}/app{SUFFIX}",
    model_paths=["app.models.primary"],
)

# The same data, read only. In production APP_REPLICA is the URL of a real replica.
database_config(
    database_name="replica",
    database_type=KIND,
    database_url=os.environ.get("APP_REPLICA", STAND_IN[KIND]),
    replica_of="primary",
)

database_config(
    database_name="analytics",
    database_type=KIND,
    database_url=f"{SERVER}/analytics{SUFFIX}",
    model_paths=["app.models.analytics"],
)

database_config(
    database_name="logging",
    database_type=KIND,
    database_url=f"{SERVER}/logs{SUFFIX}",
    model_paths=["app.models.logging"],
)

tenant_databases(
    name="tenant_{tenant_id}",
    database_type=KIND,
    database_url=f"{SERVER}/tenant_{{tenant_id}}{SUFFIX}",
    model_paths=["app.models.tenant"],
    tenants=["acme", "globex"],
)
