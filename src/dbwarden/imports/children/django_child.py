"""Print the SQL of single migrations of a Django project, and apply them to a scratch database.

This program runs in the project's own Python, which may lack dbwarden; ``answering.py`` says how it
is asked. The database of the settings is replaced before Django uses it.
"""

from __future__ import annotations

import importlib
import io
import os
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbwarden.imports.children.answering import serve
else:  # run as a program: the other file is in the same folder
    from answering import serve


def start(request: dict[str, Any]) -> dict[str, Any]:
    """Set Django up with the scratch database, and return all migrations in order."""
    if request["settings"]:
        os.environ["DJANGO_SETTINGS_MODULE"] = request["settings"]
    elif "DJANGO_SETTINGS_MODULE" not in os.environ and os.path.exists(request["manage"]):
        with open(request["manage"], encoding="utf-8") as file:
            found = re.search(r"DJANGO_SETTINGS_MODULE['\"],\s*['\"]([\w.]+)", file.read())
        if found:
            os.environ["DJANGO_SETTINGS_MODULE"] = found[1]
    settings = importlib.import_module("django.conf").settings
    alias, (address,) = request["alias"], request["addresses"]
    databases = {name: dict(value) for name, value in settings.DATABASES.items()}
    database = databases[alias]
    kind = "sqlite" if "sqlite" in database["ENGINE"] or "spatialite" in database["ENGINE"] else ""
    kind = kind or ("postgresql" if "postg" in database["ENGINE"] else database["ENGINE"])
    if kind != address["kind"]:
        return {
            "error": f"the database {alias} of the settings is of kind {kind}, but the files are "
            f"for {address['kind']}",
            "traceback": "",
        }
    _use(database, address)
    settings.DATABASES = {alias: database} if alias == "default" else databases
    importlib.import_module("django").setup()
    executor = _executor(alias)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    executor.connection.close()
    return {
        "migrations": [
            {
                "app": migration.app_label,
                "name": migration.name,
                "atomic": migration.atomic,
                "after": [
                    f"{app}.{name}" for app, name in migration.dependencies if name[:2] != "__"
                ],
            }
            for migration, _ in plan
        ]
    }


def _use(database: dict[str, Any], address: dict[str, Any]) -> None:
    """Replace the place of *database* by the scratch database."""
    database.update(
        NAME=address["path"] or address["database"],
        HOST=address["host"] or "",
        PORT=str(address["port"] or ""),
        USER=address["user"] or "",
        PASSWORD=address["password"] or "",
        OPTIONS={},
        CONN_MAX_AGE=0,
    )


def run(request: dict[str, Any]) -> dict[str, Any]:
    """Return the SQL of one migration, apply it, and return the SQL of its rollback."""
    alias, app, name = request["alias"], request["app"], request["name"]
    connection = importlib.import_module("django.db").connections[alias]
    _use(connection.settings_dict, request["addresses"][0])
    upgrade = _sql(alias, app, name, backwards=False)
    _executor(alias).migrate([(app, name)])
    try:
        rollback: str | None = _sql(alias, app, name, backwards=True)
    except Exception:  # it has no way back
        rollback = None
    connection.close()
    return {"upgrade": upgrade, "rollback": rollback}


def _executor(alias: str) -> Any:
    connection = importlib.import_module("django.db").connections[alias]
    return importlib.import_module("django.db.migrations.executor").MigrationExecutor(connection)


def _sql(alias: str, app: str, name: str, *, backwards: bool) -> str:
    call_command = importlib.import_module("django.core.management").call_command
    out = io.StringIO()
    call_command(
        "sqlmigrate", app, name, backwards=backwards, database=alias, stdout=out, no_color=True
    )
    return out.getvalue()


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Do what *request* asks, and return the answer."""
    return start(request) if request["do"] == "start" else run(request)


if __name__ == "__main__":
    serve(answer)
