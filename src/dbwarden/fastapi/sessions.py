"""Provide sessions with ``get_session()`` for ``Depends`` and ``async with``."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from inspect import Signature
from typing import Annotated, Any
from weakref import WeakKeyDictionary, WeakValueDictionary

import anyio
from sqlalchemy import Connection, event
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session, SessionTransaction

from dbwarden.dialects.serving import ServingDialect
from dbwarden.engines import Served, mark_error
from dbwarden.errors import ConfigurationError, UsageError
from dbwarden.fastapi.state import Serving, serving, serving_now

CLOSED_WITHIN = 5.0
"""Seconds for a session to roll back and return its connection; then the connection is closed."""


class ServedSession(Session):
    """The synchronous part of a session; records the server processes of its connections."""


@event.listens_for(ServedSession, "after_begin")
def _remember(session: Session, _: SessionTransaction, connection: Connection) -> None:
    dialect: ServingDialect = session.info["dbwarden_dialect"]
    driver: Any = connection.connection.driver_connection
    backend = dialect.backend_of(driver)
    if backend is not None:
        session.info["dbwarden_backends"][driver] = backend


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """One session and the engine that it keeps open; a block ends both."""

    session: AsyncSession
    served: Served
    serving: Serving

    async def __aenter__(self) -> AsyncSession:
        return self.session

    async def __aexit__(self, kind: object, error: BaseException | None, frames: object) -> None:
        """End the lease; attach the database to *error* if its pool is full."""
        if isinstance(error, PoolTimeout) and self.served.pool.is_full:
            mark_error(error, self.served.config)
        await self.close()

    async def close(self) -> None:
        """Roll back the transaction and release session and engine, even if cancelled.

        Statements that still run on the server after a cancellation are terminated.
        """
        try:
            with anyio.move_on_after(CLOSED_WITHIN, shield=True):
                await self.session.close()
            if self.served.cut:
                with anyio.CancelScope(shield=True):
                    await self._end_on_server()
        finally:
            if self.serving.engines.release(self.served):
                with anyio.CancelScope(shield=True):
                    await self.served.close()

    async def _end_on_server(self) -> None:
        backends = self.session.info["dbwarden_backends"]
        ours = [driver for driver in backends if driver in self.served.cut]
        cut = tuple(backends[driver] for driver in ours)
        self.served.cut.difference_update(ours)
        if cut:
            await self.served.dialect.end_on_server(self.served.config, cut)


async def lease(name: str | None, *, dev: bool = False, read_only: bool | None = None) -> Lease:
    """Open a session of the database *name*, which the caller has to close.

    Raises:
        UnknownDatabase: No database has that name.
    """
    state = serving_now() or await serving()
    single = state.single(name)
    config = state.locate(single, dev=dev) if single else await state.database(name, dev=dev)
    served = state.engines.ready(config)
    if served is None:
        served = await state.engines.take(config)
    else:
        served.users += 1
    is_read_only = config.replica_of is not None if read_only is None else read_only
    try:
        engine = await served.read_only() if is_read_only else served.engine
    except BaseException:
        with anyio.CancelScope(shield=True):
            await state.engines.give_back(served)
        raise
    session = AsyncSession(
        engine,
        sync_session_class=ServedSession,
        expire_on_commit=False,
        info={"dbwarden_dialect": served.dialect, "dbwarden_backends": {}},
    )
    return Lease(session=session, served=served, serving=state)


@dataclass(slots=True, weakref_slot=True, eq=False, repr=False)
class SessionSource:
    """A FastAPI dependency and async context manager, returned by :func:`get_session`.

    All tasks share it; each has a stack of leases.
    """

    name: str | None
    dev: bool
    read_only: bool | None
    declared: bool = False
    _open: "WeakKeyDictionary[Any, list[Lease]]" = field(default_factory=WeakKeyDictionary)

    def __repr__(self) -> str:
        return f"get_session({self.name!r})" if self.name else "get_session()"

    @property
    def __signature__(self) -> Signature:
        """The signature that FastAPI reads when a route declares this dependency."""
        self.declared = True
        return Signature()

    async def __call__(self) -> AsyncGenerator[AsyncSession]:
        """Yield a session, and roll back uncommitted changes at the end of the request."""
        async with await lease(self.name, dev=self.dev, read_only=self.read_only) as session:
            yield session

    async def __aenter__(self) -> AsyncSession:
        open_lease = await lease(self.name, dev=self.dev, read_only=self.read_only)
        self._open.setdefault(asyncio.current_task(), []).append(open_lease)
        return open_lease.session

    async def __aexit__(self, kind: object, error: BaseException | None, frames: object) -> None:
        await self._open[asyncio.current_task()].pop().__aexit__(kind, error, frames)


_sources: WeakValueDictionary[tuple[str | None, bool, bool | None], SessionSource] = (
    WeakValueDictionary()
)


def get_session(
    name: str | None = None, *, dev: bool = False, read_only: bool | None = None
) -> SessionSource:
    """Return a session of one database for ``Depends(...)`` or ``async with``.

    Equal arguments return the same object, so that FastAPI opens one session per request and
    ``app.dependency_overrides[get_session("analytics")]`` works. Nothing is loaded or connected
    before the first use. If a route declares an unknown name, the application does not start.

    The session is an ``AsyncSession`` with ``expire_on_commit=False``. Uncommitted changes are
    rolled back, and the session is always closed, even if the request is cancelled.

    Args:
        name: The database; by default the project's default database.
        dev: Use the development database.
        read_only: Use read-only transactions, in which the server rejects writes; by default for
            replicas only.
    """
    # Convert to str, because a handle of database_config is a subclass.
    key = (None if name is None else str(name), dev, read_only)
    source = _sources.get(key)
    if source is None:
        source = _sources[key] = SessionSource(*key)
    return source


def annotated(name: str) -> Any:
    """Return ``Annotated[AsyncSession, Depends(get_session(name))]`` for a handle's ``session``."""
    from fastapi import Depends  # imported here, so that other frameworks do without FastAPI

    return Annotated[AsyncSession, Depends(get_session(name))]


def check_declared(state: Serving) -> None:
    """Check that the database of every session that routes declare is configured.

    Raises:
        ConfigurationError: Databases or development databases are not configured; the error lists
            all of them.
    """
    problems: dict[str, None] = {}
    declared = [source for source in _sources.values() if source.declared]
    for source in sorted(declared, key=repr):
        try:
            state.declared(source.name, dev=source.dev)
        except Exception as error:
            problem = error.message if isinstance(error, UsageError) else error
            problems[f"{source!r}: {problem}"] = None
    if problems:
        raise ConfigurationError(
            "routes ask for databases that are not configured",
            problems=tuple(problems),
            next_step=f"Configured are: {', '.join(state.project.names)}.",
        )
