"""Serve a status page of every database with its state, versions, pool and latency."""

import time
from base64 import b64encode
from collections import Counter
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from types import ModuleType
from typing import Any

import anyio
import anyio.to_thread
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, JSONResponse

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import DBWardenError, UnknownDatabase
from dbwarden.fastapi.health_report import (
    ANSWERED_WITHIN,
    DEADLINE,
    NO_STORE,
    PROBE_TIMEOUT,
    TTL,
    HealthOptions,
    Probed,
    probe_all,
    status_fields,
)
from dbwarden.fastapi.health_router import Authorize
from dbwarden.fastapi.probing import ProbeResult
from dbwarden.fastapi.state import Serving, serving
from dbwarden.fastapi.tenant_health import known_families, sample
from dbwarden.operations.check import findings_of
from dbwarden.operations.health import overall, public_sentence
from dbwarden.planning.backfill_progress import BackfillProgress

REFRESH = 5.0
"""Seconds after which the page refreshes."""
TENANTS_SHOWN = 300
"""Maximum number of a family's tenants on the page: those with open engines, then random ones."""
CHART_POINTS = 60
"""Maximum number of latencies in the page's chart."""


def DBWardenStatusPage(
    *,
    title: str | None = None,
    authorize: Authorize | None = None,
    refresh: float = REFRESH,
    probe_timeout: float = PROBE_TIMEOUT,
    deadline: float = DEADLINE,
) -> APIRouter:
    """Return a router for ``app.include_router(DBWardenStatusPage(), prefix="/dbwarden")``.

    The router serves one HTML page without external resources, which refreshes itself.

    Args:
        title: The application's name on the page; default: the title of the application.
        authorize: A function of the request, synchronous or async. Requests that it rejects get
            403. Without it the page is public, and shows no causes of failures, SQL, tables or
            lock holders.
        refresh: Seconds after which the page refreshes.
        probe_timeout: Time limit in seconds for one database.
        deadline: Time limit in seconds for the page's data.
    """
    options = HealthOptions(
        ttl=min(TTL, refresh), probe_timeout=probe_timeout, deadline=deadline, authorize=authorize
    )
    served = _Page(options, refresh, title)
    router = APIRouter(include_in_schema=False)
    for path in ("", "/"):
        router.add_api_route(path, served.html, response_class=HTMLResponse)
    router.add_api_route("/data", served.data)
    router.add_api_route("/pending/{database}", served.pending)
    router.add_api_route("/schema/{database}", served.schema, response_class=HTMLResponse)
    return router


def _headers(policy: str) -> dict[str, str]:
    return {
        **NO_STORE,
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }


def _hash_of(text: str, tag: str) -> str:
    inside = text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
    return f"'sha256-{b64encode(sha256(inside.encode()).digest()).decode()}'"


# Read on import, because an event loop may be running when a route is created or called.
_HTML = (Path(__file__).parent / "page.html").read_text(encoding="utf-8")
# Only the page's own script and style are allowed.
_HEADERS = _headers(
    "default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    f"frame-ancestors 'none'; img-src data:; style-src {_hash_of(_HTML, 'style')}; "
    f"script-src {_hash_of(_HTML, 'script')}"
)


@dataclass(frozen=True, slots=True)
class _Page:
    """The endpoints of the status page."""

    options: HealthOptions
    refresh: float
    title: str | None

    async def html(self, request: Request) -> HTMLResponse:
        """Return the page."""
        await self._guard(request)
        return HTMLResponse(_HTML, headers=_HEADERS)

    async def data(self, request: Request) -> JSONResponse:
        """Return the data of the page."""
        await self._guard(request)
        now, deadline = anyio.current_time(), self.options.deadline * ANSWERED_WITHIN
        try:
            state = await serving()
            families = await known_families(state, now + deadline / 2)
            tenants = [
                config
                for family in families
                for config in sample(state, family, most=TENANTS_SHOWN)
            ]
            configs = (*state.databases, *tenants)
        except DBWardenError as error:
            raise HTTPException(503, public_sentence(error)) from error
        probed = await probe_all(state, configs, self.options, now + deadline)
        # Omit tenants for which there was no time, instead of showing them as unreachable.
        shown = [
            (config, each)
            for number, (config, each) in enumerate(zip(configs, probed, strict=True))
            if each.in_time or number < len(state.databases)
        ]
        counts = Counter(each.health.status for _, each in shown)
        body = {
            "at": time.time(),
            "application": self._name_of(request),
            "refresh": self.refresh,
            "status": overall([each.health for _, each in shown]).status,
            "counts": {name: counts[name] for name in ("ok", "degraded", "error")},
            "databases": [self._to_json(state, config, each) for config, each in shown],
            "tenants": sum(family.count or 0 for family in families),
            "tenants_shown": len(shown) - len(state.databases),
            "private": self._private,
        }
        return JSONResponse(body, headers=NO_STORE)

    async def pending(self, request: Request, database: str) -> JSONResponse:
        """Return the SQL of the pending migrations of one database."""
        until = anyio.current_time() + self.options.deadline * ANSWERED_WITHIN
        state, config = await self._private_database(request, database)
        (probed,) = await probe_all(state, (config,), self.options, until)
        status = probed.probe.status if probed.probe is not None else None
        keys = status.pending if status is not None else ()
        files = {item.key: item for item in await state.probes.files(config)} if keys else {}
        body = [
            {
                "key": key,
                "description": files[key].description,
                "sql": files[key].upgrade.text.strip("\n"),
            }
            for key in keys
            if key in files
        ]
        return JSONResponse({"pending": body}, headers=NO_STORE)

    async def schema(self, request: Request, database: str) -> HTMLResponse:
        """Return a picture of the live tables of one database."""
        _, config = await self._private_database(request, database)
        # Imported on demand and in a thread, because it takes a fifth of the application's imports.
        picture = await anyio.to_thread.run_sync(_import_picture)
        try:
            with anyio.fail_after(self.options.deadline * ANSWERED_WITHIN):
                drawn = await picture.draw_schema(config, live=True)
        except TimeoutError:
            raise HTTPException(503, "no answer in time") from None
        except DBWardenError as error:
            raise HTTPException(503, public_sentence(error)) from error
        title = f"Tables of {config.database_name}"
        if (name := self._name_of(request)) is not None:
            title += f", {name}"
        diagrams = [(config.database_name, drawn.diagram)]
        text = await anyio.to_thread.run_sync(picture.page, title, diagrams)
        return HTMLResponse(text, headers=_headers(picture.POLICY))

    async def _private_database(
        self, request: Request, name: str
    ) -> tuple[Serving, DatabaseConfig]:
        """Return the database *name* for a request that may see its SQL and tables."""
        await self._guard(request)
        if not self._private:
            raise HTTPException(403, "The page shows SQL only where authorize= guards it.")
        try:
            state = await serving()
            return state, await state.database(name)
        except UnknownDatabase:
            raise HTTPException(404, "There is no database of that name.") from None
        except DBWardenError as error:
            raise HTTPException(503, public_sentence(error)) from error

    def _name_of(self, request: Request) -> str | None:
        """Return the application's name; ``None`` if it has none but that of the framework."""
        title = self.title or getattr(request.app, "title", None)
        return None if title == "FastAPI" else title

    @property
    def _private(self) -> bool:
        """Whether only authorized users see the page, so that it may show causes and SQL."""
        return self.options.authorize is not None

    async def _guard(self, request: Request) -> None:
        if self.options.authorize and not await self.options.accepts(request):
            raise HTTPException(403, "You may not see this page.")

    def _to_json(self, state: Serving, config: DatabaseConfig, probed: Probed) -> dict[str, Any]:
        probe, private = probed.probe, self._private
        served = state.engines.open.get((config.database_name, config.dev))
        points = state.probes.latencies.get(config.database_name, ())
        return {
            **asdict(probed.health),
            **_status_fields(probe, private),
            "kind": config.database_type,
            "dev": config.dev,
            "replica_of": config.replica_of,
            "pool": asdict(served.pool) if served is not None else None,
            "latencies": [
                None if point.ms is None else round(point.ms, 1)
                for point in list(points)[-CHART_POINTS:]
            ],
            "detail": probe.error.message if private and probe and probe.error else None,
            "next_steps": _next_steps(probe, private),
        }


def _import_picture() -> ModuleType:
    from dbwarden.operations import draw

    return draw


def _next_steps(probe: ProbeResult | None, private: bool) -> tuple[str, ...]:
    """Return what to do about the findings, or about the error, which may name hosts."""
    if probe is not None and probe.status is not None:
        problems = [item for item in probe.status.problems if item.code != "locked"]
        return tuple(item.next_step for item in findings_of(probe.status, problems))
    error = probe.error if probe is not None and private else None
    return (error.next_step,) if error is not None and error.next_step else ()


def _backfill(item: BackfillProgress, private: bool) -> dict[str, Any]:
    """Return the progress of a backfill; its error may quote rows."""
    return {
        "key": item.key,
        "state": "stalled" if item.stalled else item.state,
        "progress": str(item),
        "waiting": item.waiting,
        "error": item.error if private else None,
    }


def _status_fields(probe: ProbeResult | None, private: bool) -> dict[str, Any]:
    """Return the status of a database for the page.

    A public page omits information useful to an attacker: the lock holder with its host and running
    statement, the server's version, and the reason why a primary cannot be read.
    """
    replica = dict(probe.replica) if probe is not None and probe.replica is not None else None
    if replica is not None and not private:
        del replica["primary_error"]
    status = probe.status if probe is not None else None
    holder = status.lock_holder if status is not None else None
    return {
        **status_fields(status),
        "backfills": [_backfill(item, private) for item in status.backfills] if status else (),
        "lock_holder": str(holder) if holder is not None and private else None,
        "server_version": status.server_version if status and private else None,
        "replica": replica,
    }
