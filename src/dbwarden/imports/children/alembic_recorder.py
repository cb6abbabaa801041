"""Record the statements of a run: a part of ``alembic_child.py``, with its limits."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbwarden.imports.children.alembic_connections import (
        encode_all,
        key_of,
        redirect_postgresql,
    )
else:  # run as a part of a program: the other file is in the same folder
    from alembic_connections import encode_all, key_of, redirect_postgresql

MARK = "dbwarden_target"
QUERY = "sqlalchemy.orm.query"
"""Its update() and delete() return the count to the revision."""
FETCHES = ("_fetchone_impl", "_fetchmany_impl", "_fetchall_impl", "_fetchiter_impl")
"""What every way to fetch rows calls, in SQLAlchemy 1.4 and 2."""
MOST = 60
"""How many counts of a run are made up: a loop over them must end."""


class CannotRecord(Exception):
    """The project does something that cannot be recorded; *fields* are the answer."""

    def __init__(self, **fields: Any) -> None:
        """Store the fields of the answer."""
        super().__init__(fields.get("problem"))
        self.fields = fields


def asks_for_rows(context: Any) -> bool:
    """Return whether the revision asks for rows; SQLAlchemy itself asks for keys of new ones."""
    compiled = getattr(context, "compiled", None)
    if compiled is None or not getattr(context, "isinsert", False):
        return True
    return bool(getattr(compiled.statement, "_returning", True))


def watch_counts(recorder: Recorder) -> None:
    """Note each statement whose number of rows is read, except by SQLAlchemy itself."""
    from sqlalchemy.engine import CursorResult

    owner: Any = next(one for one in CursorResult.__mro__ if "rowcount" in vars(one))
    original = vars(owner)["rowcount"].fget

    def rowcount(result: Any) -> Any:
        item = getattr(result.context, "dbwarden_item", None)
        caller = sys._getframe(1).f_globals.get("__name__") or ""
        if item is None or (caller.startswith("sqlalchemy.") and caller != QUERY):
            return original(result)
        item["counted"] = True
        invented = recorder.invent_count(item)
        return original(result) if invented is None else invented

    owner.rowcount = property(rowcount)


def watch_rows() -> None:
    """Note each statement whose rows the revision fetches."""
    from sqlalchemy.engine import CursorResult

    def watch(name: str) -> None:
        original = getattr(CursorResult, name)

        def fetch(result: Any, *arguments: Any, **options: Any) -> Any:
            item = getattr(result.context, "dbwarden_item", None)
            if item is not None and asks_for_rows(result.context):
                item["rows"] = True
            return original(result, *arguments, **options)

        setattr(CursorResult, name, fetch)

    for name in FETCHES:
        watch(name)


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
        self.refused: CannotRecord | None = None
        self.count: int | None = None
        self.times = 0
        self.invented: dict[str, list[dict[str, Any]]] = {}

    def begin(
        self,
        addresses: list[dict[str, Any]],
        only: int | None = None,
        count: int | None = None,
        times: int = 0,
    ) -> None:
        """Start a run on *addresses*; connections of earlier runs are not used again.

        Every connection goes to the address number *only*, if it is given. Each statement changes
        *count* rows the first *times* times, if it is given, as far as the revision can see.
        """
        self.addresses, self.only, self.statements = addresses, only, []
        self.count, self.times, self.invented = count, times, {}
        self.generation += 1
        self.inside, self.refused = False, None

    def fail(self, **fields: Any) -> CannotRecord:
        """Return an error, which is reported even if the project catches it."""
        self.refused = CannotRecord(**fields)
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

    def invent_count(self, item: dict[str, Any]) -> int | None:
        """Return the number of rows that *item* shall seem to have changed; ``None`` for its own.

        Statements that differ in numbers are one.
        """
        if self.count is None or not item["inside"]:
            return None
        executions = self.invented.setdefault(re.sub(r"[0-9]+", "0", item["sql"]), [])
        if not any(item is each for each in executions):
            if len(executions) >= self.times or sum(map(len, self.invented.values())) >= MOST:
                return None
            executions.append(item)
        return self.count

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
        self, connection: Any, _: Any, statement: str, parameters: Any, context: Any, many: Any
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
        item = self._item(connection, statement)
        item["values"] = [None if raw else encode_all(each) for each in values]
        item["autocommit"] = options.get("isolation_level") == "AUTOCOMMIT"
        item["inside"] = self.inside
        item["connection"] = id(connection.connection.dbapi_connection)
        self.statements.append(item)
        if context is not None:
            context.dbwarden_item = item

    def _item(self, connection: Any, statement: str) -> dict[str, Any]:
        """Return the document of *statement*, sent by a revision without values."""
        return {
            "sql": statement,
            "values": [None],
            "style": connection.dialect.paramstyle,
            "autocommit": False,
            "rows": False,
            "counted": False,
            "target": self.target_of(connection),
            "inside": True,
            "connection": None,
        }

    def insert(self, start: int, texts: list[str], connection: Any) -> None:
        """Record *texts*, which set the session, before the statements from number *start* on."""
        self.statements[start:start] = [self._item(connection, text) for text in texts]

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

        watch_counts(self)
        watch_rows()
        event.listen(Engine, "do_connect", self.redirect)
        event.listen(Engine, "before_cursor_execute", self.before)
        event.listen(Engine, "after_cursor_execute", self.after)
        event.listen(Engine, "commit", self.commit)
        event.listen(Engine, "rollback", self.rollback)
        event.listen(Pool, "checkout", checkout)
