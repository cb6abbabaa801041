"""Run single revisions of an Alembic project, and report the SQL that reached the server.

This program runs in the project's own Python, which may lack dbwarden: it imports only the files
next to it, the standard library, Alembic and SQLAlchemy, and runs on Python 3.9 or newer.
``answering.py`` says how it is asked.

Every connection that SQLAlchemy opens is redirected to the scratch database of the request. A
statement on any other connection is refused, so that nothing runs on a real database.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbwarden.imports.children.alembic_connections import (
        current_namespace,
        driver_of,
        open_engine,
        session_settings,
    )
    from dbwarden.imports.children.alembic_recorder import CannotRecord, Recorder
    from dbwarden.imports.children.answering import serve
else:  # run as a program: the other files are in the same folder
    from alembic_connections import current_namespace, driver_of, open_engine, session_settings
    from alembic_recorder import CannotRecord, Recorder
    from answering import serve


class AlembicScripts:
    """An Alembic project: its configuration, its scripts, and how it is run."""

    def __init__(self, request: dict[str, Any], recorder: Recorder) -> None:
        """Read the configuration and the scripts."""
        from alembic.config import Config
        from alembic.script import ScriptDirectory

        more: dict[str, Any] = {"ini_section": request["section"]}
        if (
            os.path.exists("pyproject.toml")
            and "toml_file" in inspect.signature(Config.__init__).parameters
        ):
            more["toml_file"] = "pyproject.toml"
        self.config = Config(request.get("ini"), **more)
        self.config.cmd_opts = argparse.Namespace(x=request["x"] or None)
        for name, value in request["options"].items():
            self.config.set_main_option(name, value.replace("%", "%%"))
        self.recorder = recorder
        self.script = ScriptDirectory.from_config(self.config)
        self.kind = request["kind"]
        self.in_worker = False
        self.shares = request["share_connection"]
        self._correct_url()

    def _correct_url(self) -> None:
        """Give the main option a URL of the right kind: the connection is redirected anyway."""
        from sqlalchemy.engine import make_url

        try:
            url = make_url(self.config.get_main_option("sqlalchemy.url") or "")
            if url.get_backend_name() == self.kind:
                url.get_dialect()
                return
        except Exception:  # unset, or the example of the template
            pass
        path = os.path.join(self.script.dir, "env.py")
        with open(path, encoding="utf-8") as file:
            uses_async = "async" in file.read()
        self.config.set_main_option(
            "sqlalchemy.url", f"{self.kind}+{driver_of(self.kind, uses_async)}://"
        )

    def describe(self) -> dict[str, Any]:
        """Return the revisions in one order, in which each follows those that it needs."""
        ordered = list(self.script.walk_revisions("base", "heads"))[::-1]
        return {
            "revisions": [
                {
                    "id": script.revision,
                    "after": list(script._all_down_revisions),
                    "message": (script.doc or "").strip().splitlines()[:1],
                    "path": script.path,
                }
                for script in ordered
            ],
        }

    def run(self, revision: str | None, direction: str) -> None:
        """Run env.py for one revision; for none, only to see which databases it opens."""
        from alembic.runtime.environment import EnvironmentContext
        from alembic.runtime.migration import MigrationStep

        def steps(_: Any, context: Any) -> list[Any]:
            self._note_database(context)
            if revision is None:
                return []
            one = self.script.get_revision(revision)
            if direction == "upgrade":
                step = MigrationStep.upgrade_from_script(self.script.revision_map, one)
            else:
                step = MigrationStep.downgrade_from_script(self.script.revision_map, one)
            step.migration_fn = self._recorded(step.migration_fn, context.connection)
            return [step]

        def run_env() -> None:
            with EnvironmentContext(
                self.config, self.script, fn=steps, as_sql=False, destination_rev=revision
            ):
                if not self.shares:
                    self.script.run_env()
                    return
                engine = open_engine(self.kind)
                with engine.connect() as connection:
                    self.config.attributes["connection"] = connection
                    self.script.run_env()
                    if connection.in_transaction():
                        connection.commit()
                engine.dispose()

        try:
            (_run_in_worker if self.in_worker else _call)(run_env)
        except Exception as error:
            if self.in_worker or "AnyIO worker thread" not in str(error):
                raise
            self.in_worker = True
            _run_in_worker(run_env)

    def _note_database(self, context: Any) -> None:
        if context.connection is None:
            raise self.recorder.fail(problem="env.py runs in offline mode")
        target = self.recorder.target_of(context.connection)
        token = context.opts.get("upgrade_token") or ""
        self.recorder.names[target] = token.removesuffix("_upgrades").removesuffix("upgrades")
        schema = context.opts.get("version_table_schema") or current_namespace(context.connection)
        table = context.opts.get("version_table") or "alembic_version"
        self.recorder.version_tables[target] = (schema, table)

    def _recorded(self, function: Any, connection: Any) -> Any:
        def run(**arguments: Any) -> None:
            settings, recorder = session_settings(connection), self.recorder
            start = len(recorder.statements)
            recorder.inside = True
            try:
                function(**arguments)
            finally:
                recorder.inside = False
            if recorder.statements[start:]:
                recorder.insert(start, settings, connection)

        return run


def _call(function: Any) -> None:
    function()


def _run_in_worker(function: Any) -> None:
    """Run *function* as an application does whose env.py awaits in the application's event loop."""
    import anyio
    import anyio.to_thread

    anyio.run(anyio.to_thread.run_sync, function)


def build_base(name: str, kind: str, recorder: Recorder) -> None:
    """Create the tables that existed before the first revision: ``module:Base.metadata``."""
    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for part in path.split("."):
        found = getattr(found, part)
    create = getattr(getattr(found, "metadata", found), "create_all", found)
    engine = open_engine(kind)
    recorder.inside = True
    with engine.begin() as connection:
        create(connection)
    recorder.inside = False
    engine.dispose()


class _Answers:
    """The answers to requests, which share a project and what it sends."""

    def __init__(self) -> None:
        self.recorder = Recorder()
        self.project: AlembicScripts | None = None

    def answer(self, request: dict[str, Any]) -> Any:
        """Do what *request* asks, and return the answer."""
        if request["do"] == "start":
            self.recorder.watch()
            self.project = AlembicScripts(request, self.recorder)
            return {}
        assert self.project is not None
        if request["do"] == "describe":  # after env.py, which may change the version locations
            return self.project.describe()
        try:
            return self._recorded(request, self.project)
        except CannotRecord as error:
            return {"refused": error.fields}

    def _recorded(self, request: dict[str, Any], project: AlembicScripts) -> dict[str, Any]:
        recorder = self.recorder
        names = ("addresses", "only", "count", "times")
        recorder.begin(**{name: request[name] for name in names if name in request})
        try:
            if request["do"] == "base":
                build_base(request["object"], project.kind, recorder)
            else:
                project.run(request["revision"], request["direction"])
        finally:
            if recorder.refused is not None:
                raise recorder.refused
        return {
            "targets": [
                {
                    "name": recorder.names.get(number),
                    "contexts": number in recorder.names,
                    "version_table": recorder.version_tables.get(number),
                }
                for number in range(len(recorder.targets))
            ],
            "statements": recorder.statements,
        }


if __name__ == "__main__":
    serve(_Answers().answer)
