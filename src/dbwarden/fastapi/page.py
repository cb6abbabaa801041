"""One page for people: every database with its state, versions, pool and latency."""

import time
from base64 import b64encode
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import anyio
from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import HTMLResponse, JSONResponse

from dbwarden.config.model import DatabaseConfig
from dbwarden.errors import DBWardenError, UnknownDatabase
from dbwarden.fastapi.health import (
    ANSWERED_WITHIN,
    DEADLINE,
    PROBE_TIMEOUT,
    TTL,
    Authorize,
    HealthOptions,
    Probed,
    allowed,
    probe_all,
)
from dbwarden.fastapi.probing import Probe
from dbwarden.fastapi.state import Serving, serving
from dbwarden.fastapi.tenant_health import known_families, sample
from dbwarden.operations.health import overall, public_sentence

REFRESH = 5.0
"""Seconds after which the page asks again."""
TENANTS_SHOWN = 300
"""How many tenants of a family the page looks at: those that are served now, others by chance."""
CHART_POINTS = 60
"""How many latencies the page's chart shows."""

_NO_STORE = {"Cache-Control": "no-store"}


def DBWardenStatusPage(
    *,
    authorize: Authorize | None = None,
    refresh: float = REFRESH,
    probe_timeout: float = PROBE_TIMEOUT,
    deadline: float = DEADLINE,
) -> APIRouter:
    """A router for ``app.include_router(DBWardenStatusPage(), prefix="/dbwarden")``.

    One HTML page without outside resources, which refreshes itself.

    Args:
        authorize: A function of the request, plain or async: who it turns away gets 403. Without
            one the page is for everybody who can reach it, and shows neither the causes of
            failures, nor SQL, nor who holds a lock.
        refresh: Seconds after which the page asks again.
        probe_timeout: Seconds that one database has to answer.
        deadline: Seconds after which the page gets what is known in any case.
    """
    options = HealthOptions(
        ttl=min(TTL, refresh), probe_timeout=probe_timeout, deadline=deadline, authorize=authorize
    )
    page = _Page(options, refresh, _DOCUMENT)
    router = APIRouter(include_in_schema=False)
    for path in ("", "/"):
        router.add_api_route(path, page.html, response_class=HTMLResponse)
    router.add_api_route("/data", page.data)
    router.add_api_route("/pending/{database}", page.pending)
    return router


@dataclass(frozen=True, slots=True)
class _Document:
    """The page's text and the headers that let it run its own script and nothing else."""

    text: str
    headers: Mapping[str, str]


def _document() -> _Document:
    text = (Path(__file__).parent / "page.html").read_text(encoding="utf-8")
    policy = (
        "default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
        f"frame-ancestors 'none'; img-src data:; style-src {_hash_of(text, 'style')}; "
        f"script-src {_hash_of(text, 'script')}"
    )
    headers = {
        **_NO_STORE,
        "Content-Security-Policy": policy,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
    }
    return _Document(text, headers)


def _hash_of(text: str, tag: str) -> str:
    inside = text.partition(f"<{tag}>")[2].partition(f"</{tag}>")[0]
    return f"'sha256-{b64encode(sha256(inside.encode()).digest()).decode()}'"


# Read with the module, not when a route is made or called: an event loop may be running then.
_DOCUMENT = _document()


@dataclass(frozen=True, slots=True)
class _Page:
    """The endpoints."""

    options: HealthOptions
    refresh: float
    document: _Document

    async def html(self, request: Request) -> HTMLResponse:
        """The page."""
        await self._guard(request)
        return HTMLResponse(self.document.text, headers=dict(self.document.headers))

    async def data(self, request: Request) -> JSONResponse:
        """What the page shows."""
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
        # A tenant for which there was no time is not shown, instead of as one that is down.
        shown = [
            (config, each)
            for number, (config, each) in enumerate(zip(configs, probed, strict=True))
            if each.in_time or number < len(state.databases)
        ]
        counts = Counter(each.health.status for _, each in shown)
        body = {
            "at": time.time(),
            "refresh": self.refresh,
            "status": overall([each.health for _, each in shown]).status,
            "counts": {name: counts[name] for name in ("ok", "degraded", "error")},
            "databases": [self._shown(state, config, each) for config, each in shown],
            "tenants": sum(family.count or 0 for family in families),
            "tenants_shown": len(shown) - len(state.databases),
            "private": self._private,
        }
        return JSONResponse(body, headers=_NO_STORE)

    async def pending(self, request: Request, database: str) -> JSONResponse:
        """The SQL of the pending migrations of one database."""
        await self._guard(request)
        if not self._private:
            raise HTTPException(403, "The page shows SQL only where authorize= guards it.")
        until = anyio.current_time() + self.options.deadline * ANSWERED_WITHIN
        try:
            state = await serving()
            config = await state.database(database)
        except UnknownDatabase:
            raise HTTPException(404, "There is no database of that name.") from None
        except DBWardenError as error:
            raise HTTPException(503, public_sentence(error)) from error
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
        return JSONResponse({"pending": body}, headers=_NO_STORE)

    @property
    def _private(self) -> bool:
        """Whether only authorized people see the page, so that it may show causes and SQL."""
        return self.options.authorize is not None

    async def _guard(self, request: Request) -> None:
        if self.options.authorize and not await allowed(self.options.authorize, request):
            raise HTTPException(403, "You may not see this page.")

    def _shown(self, state: Serving, config: DatabaseConfig, probed: Probed) -> dict[str, Any]:
        probe, private = probed.probe, self._private
        served = state.engines.open.get((config.database_name, config.dev))
        points = state.probes.latencies.get(config.database_name, ())
        return {
            **asdict(probed.health),
            **_facts(probe, private),
            "kind": config.database_type,
            "dev": config.dev,
            "replica_of": config.replica_of,
            "pool": asdict(served.pool) if served is not None else None,
            "latencies": [_rounded(point.ms) for point in list(points)[-CHART_POINTS:]],
            "detail": probe.error.message if private and probe and probe.error else None,
            "next_step": probe.error.next_step if private and probe and probe.error else None,
        }


def _rounded(ms: float | None) -> float | None:
    return None if ms is None else round(ms, 1)


def _facts(probe: Probe | None, private: bool) -> dict[str, Any]:
    """Return what the page shows of a database.

    Where nobody is turned away, it leaves out what helps an attacker: who holds the lock, from
    which host, and the running statement with its literals; the server's version; the reason why
    a primary cannot be read.
    """
    replica = dict(probe.replica) if probe is not None and probe.replica is not None else None
    if replica is not None and not private:
        del replica["primary_error"]
    status = probe.status if probe is not None else None
    holder = status.lock_holder if status is not None else None
    return {
        "version": status.version if status else None,
        "pending": status.pending if status else (),
        "changed": status.changed if status else (),
        "missing": status.missing if status else (),
        "partial": status.partial if status else (),
        "ahead": status.ahead if status else (),
        "lock_holder": str(holder) if holder is not None and private else None,
        "server_version": status.server_version if status and private else None,
        "replica": replica,
    }
