"""Run single revisions of an Alembic project, and report the SQL that reached the server.

This program runs in the project's own Python, which may lack dbwarden: it imports only the file
beside it, the standard library, Alembic and SQLAlchemy, and runs on Python 3.9 or newer. Requests
arrive as lines of JSON on standard input, and each has one line of JSON as its answer on standard
output. What the project prints goes to standard error.

Every connection that SQLAlchemy opens is redirected to the scratch database of the request. A
statement on any other connection is refused, so that nothing runs on a real database.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbwarden.imports.alembic.child_connections import (
        driver_of,
        encode_all,
        key_of,
        open_engine,
        redirect_postgresql,
    )
else:  # run as a program: the other file is in the same folder
    from child_connections import (
        driver_of,
        encode_all,
        key_of,
        open_engine,
        redirect_postgresql,
    )

MARK = "dbwarden_target"


class Refused(Exception):
    """The project does something that cannot be recorded; *fields* are the answer."""

    def __init__(self, **fields: Any) -> None:
        """Store the fields of the answer."""
        super().__init__(fields.get("problem"))
        self.fields = fields


class Recorder:
    """The statements of one run, and the databases to which its connections are redirected."""

    def __init__(self) -> None:
        """Start without targets."""
        self.targets: list[tuple[Any, ...]] = []
        self.names: dict[int, str | None] = {}
        self.version_tables: dict[int, tuple[str | None, str]] = {}
        self.addresses: list[dict[str, Any]] = []
        self.only: int | None = None
        self.generation = 0
        self.statements: list[dict[str, Any]] = []
        self.inside = False
        self.refused: Refused | None = None

    def begin(self, addresses: list[dict[str, Any]], only: int | None) -> None:
        """Start a run on *addresses*; connections of earlier runs are not used again.

        Every connection goes to the address number *only*, if it is given.
        """
        self.addresses, self.only, self.statements = addresses, only, []
        self.generation += 1
        self.inside, self.refused = False, None

    def fail(self, **fields: Any) -> Refused:
        """Return an error, which is reported even if the project catches it."""
        self.refused = Refused(**fields)
        return self.refused

    def redirect(
        self, dialect: Any, record: Any, cargs: list[Any], cparams: dict[str, Any]
    ) -> None:
        """Change the arguments of a new connection so that it opens the scratch database."""
        target = self.only
        if target is None:
            target = self._number_of(key_of(dialect.name, cargs, cparams))
        if target >= len(self.addresses):
            raise self.fail(need=dialect.name, target=target, problem="a database is missing")
        address = self.addresses[target]
        if address["kind"] != dialect.name:
            raise self.fail(
                problem=f"env.py connects to a database of kind {dialect.name}, but the files are "
                f"for {address['kind']}",
                kind=dialect.name,
            )
        if dialect.name == "sqlite":
            cargs[:] = [address["path"]]
            for name in ("uri", "database"):
                cparams.pop(name, None)
        else:
            redirect_postgresql(dialect, address, cargs, cparams)
        if record is not None:
            record.info[MARK] = (target, self.generation)

    def _number_of(self, key: tuple[Any, ...]) -> int:
        if key not in self.targets:
            self.targets.append(key)
        return self.targets.index(key)

    def target_of(self, connection: Any) -> int:
        """Return the number of the database that *connection* uses."""
        mark = connection.info.get(MARK)
        if mark is None or mark[1] != self.generation:
            raise self.fail(
                problem="env.py opens its connection by itself (creator=, or a connection of an "
                "earlier run), so that it cannot be redirected to a scratch database"
            )
        return int(mark[0])

    def before(self, connection: Any, *_: Any) -> None:
        """Refuse a statement on a connection that was not redirected."""
        self.target_of(connection)

    def after(
        self, connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, many: Any
    ) -> None:
        """Record a statement that the server has accepted."""
        options = connection.get_execution_options()
        words = statement.strip().rstrip(";").split(None, 3)
        first = [word.lower().strip('"') for word in words]
        if first[:2] == ["rollback", "to"]:
            self._undo_to(first[-1].replace("savepoint", "").strip().strip('"'))
            return
        # SQLAlchemy may join the rows of many executions into one, with one set of parameters.
        rows = not isinstance(parameters, dict) and all(
            isinstance(each, (dict, list, tuple)) for each in parameters
        )
        values = parameters if many and rows else [parameters]
        raw = context is not None and getattr(context, "no_parameters", False) and not values[0]
        self.statements.append(
            {
                "sql": statement,
                "values": [None if raw else encode_all(each) for each in values],
                "style": connection.dialect.paramstyle,
                "autocommit": options.get("isolation_level") == "AUTOCOMMIT",
                "rows": getattr(cursor, "description", None) is not None,
                "target": self.target_of(connection),
                "inside": self.inside,
                "connection": id(connection.connection.dbapi_connection),
            }
        )

    def commit(self, connection: Any) -> None:
        """Note that the statements of *connection* are final."""
        for item in self._open(connection):
            item["connection"] = None

    def rollback(self, connection: Any) -> None:
        """Forget the statements of *connection* that were rolled back."""
        gone = {id(item) for item in self._open(connection)}
        self.statements = [item for item in self.statements if id(item) not in gone]

    def _open(self, connection: Any) -> list[dict[str, Any]]:
        raw = id(connection.connection.dbapi_connection)
        return [
            item for item in self.statements if item["connection"] == raw and not item["autocommit"]
        ]

    def _undo_to(self, savepoint: str) -> None:
        for place in range(len(self.statements) - 1, -1, -1):
            words = self.statements[place]["sql"].lower().replace('"', "").split()
            if words == ["savepoint", savepoint]:
                del self.statements[place + 1 :]
                return

    def watch(self) -> None:
        """Listen to every engine of this process."""
        from sqlalchemy import event
        from sqlalchemy.engine import Engine
        from sqlalchemy.exc import DisconnectionError
        from sqlalchemy.pool import Pool

        def checkout(_connection: Any, record: Any, _proxy: Any) -> None:
            mark = record.info.get(MARK)
            if mark is not None and mark[1] != self.generation:
                raise DisconnectionError("a connection of an earlier run")

        event.listen(Engine, "do_connect", self.redirect)
        event.listen(Engine, "before_cursor_execute", self.before)
        event.listen(Engine, "after_cursor_execute", self.after)
        event.listen(Engine, "commit", self.commit)
        event.listen(Engine, "rollback", self.rollback)
        event.listen(Pool, "checkout", checkout)


class Project:
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
            step.migration_fn = self._recorded(step.migration_fn)
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
        schema = context.opts.get("version_table_schema")
        table = context.opts.get("version_table") or "alembic_version"
        self.recorder.version_tables[target] = (schema, table)

    def _recorded(self, function: Any) -> Any:
        def run(**arguments: Any) -> None:
            self.recorder.inside = True
            try:
                function(**arguments)
            finally:
                self.recorder.inside = False

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


def answer(request: dict[str, Any], recorder: Recorder, state: dict[str, Project]) -> Any:
    """Do what *request* asks, and return the answer."""
    if request["do"] == "start":
        recorder.watch()
        state["project"] = Project(request, recorder)
        return {}
    if request["do"] == "describe":  # after env.py, which may change the version locations
        return state["project"].describe()
    recorder.begin(request["addresses"], request.get("only"))
    try:
        if request["do"] == "base":
            build_base(request["object"], state["project"].kind, recorder)
        else:
            state["project"].run(request["revision"], request["direction"])
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


def main() -> None:
    """Answer requests until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.path[0:1] = [os.getcwd()]  # instead of the folder of this file
    requests, sys.stdin = sys.stdin, open(os.devnull, encoding="utf-8")  # noqa: SIM115
    recorder = Recorder()
    state: dict[str, Project] = {}
    for line in requests:
        request = json.loads(line)
        try:
            result = answer(request, recorder, state)
        except Refused as error:
            result = {"refused": error.fields}
        except (Exception, SystemExit) as error:
            shown = "".join(traceback.format_exception(type(error), error, error.__traceback__))
            result = {"error": f"{type(error).__name__}: {error}", "traceback": shown}
        answers.write(json.dumps(result) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
