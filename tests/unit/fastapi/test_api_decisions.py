"""What is decided without a database: tenants' ids, engines to close, findings that matter."""

from typing import Any

import pytest

from dbwarden.engines import Served, closable
from dbwarden.fastapi.health import HealthOptions
from dbwarden.fastapi.lifespan import Startup, is_harmless
from dbwarden.fastapi.probing import signature_of
from dbwarden.fastapi.tenant_health import TenantsHealth, with_tenants
from dbwarden.fastapi.tenants import field_of, first_label, header_of, name_of_tenant
from dbwarden.operations.check import Finding
from dbwarden.operations.health import Health, HealthStatus


@pytest.mark.parametrize(
    ("host", "label"),
    [
        ("acme.example.com", "acme"),
        ("Acme.Example.com:8000", "acme"),
        ("localhost:8000", None),
        ("localhost", None),
        ("", None),
        ("127.0.0.1:8000", None),
        (".example.com", ""),
    ],
)
def test_the_tenant_of_a_host_is_its_first_label(host: str, label: str | None) -> None:
    assert first_label(host) == label


def test_a_field_names_its_header() -> None:
    assert header_of("tenant_id") == "X-Tenant-Id"
    assert header_of("org") == "X-Org"
    assert field_of("tenant_{tenant_id}") == "tenant_id"


@pytest.mark.parametrize("tenant_id", [None, "", "..", "a/b", "a b", "-a", "a\n", "x" * 64, "{x}"])
def test_nonsense_is_no_tenant(tenant_id: str | None) -> None:
    assert name_of_tenant("t_{x}", "x", tenant_id) is None


def test_an_id_becomes_a_name() -> None:
    assert name_of_tenant("t_{x}", "x", "acme-2") == "t_acme-2"


def served(users: int) -> Served:
    nothing: Any = None
    return Served(config=nothing, engine=nothing, url=None, users=users)


def test_unused_engines_are_closed_oldest_first_and_used_ones_never() -> None:
    oldest, used, newer = served(0), served(1), served(0)
    everybody = (oldest, used, newer)
    assert closable(everybody, 1) == (oldest,)
    assert closable(everybody, 3) == (oldest, newer)
    assert closable(everybody, 0) == closable(everybody, -5) == ()


@pytest.mark.parametrize(
    ("startup", "code", "replica", "starts"),
    [
        (Startup(), "pending", None, False),
        (Startup(on_pending="warn"), "pending", None, True),
        (Startup(on_pending="warn"), "out_of_order", None, True),
        (Startup(on_pending="warn"), "changed", None, False),
        (Startup(mode="migrate"), "pending", None, False),
        (Startup(mode="migrate"), "pending", "primary", True),
        (Startup(), "replica_behind", "primary", False),
        (Startup(mode="migrate"), "replica_behind", "primary", True),
        (Startup(on_pending="warn"), "replica_behind", "primary", True),
        (Startup(), "replica_writable", "primary", True),
        (Startup(), "locked", None, True),
        (Startup(), "missing", None, False),
    ],
)
def test_which_findings_keep_an_application_from_starting(
    startup: Startup, code: str, replica: str | None, starts: bool
) -> None:
    class Config:
        replica_of = replica

    config: Any = Config()
    assert is_harmless(startup, config, Finding(code=code, message="", next_step="")) is starts


@pytest.mark.parametrize(
    ("own", "error", "total", "status"),
    [
        ("ok", 0, 5, "ok"),
        ("ok", 1, 5, "ok"),
        ("ok", 2, 5, "degraded"),
        ("ok", 0, None, "degraded"),
        ("error", 2, 5, "error"),
    ],
)
def test_only_the_illness_of_all_tenants_degrades(
    own: HealthStatus, error: int, total: int | None, status: str
) -> None:
    tenants = TenantsHealth(
        pattern="t_{x}", total=total, looked_at=2, ok=2 - error, degraded=0, error=error
    )
    health = with_tenants(Health(status=own, databases=()), [tenants])
    assert health.status == status


def test_a_state_has_its_http_status() -> None:
    options = HealthOptions(degraded_status_code=218)
    states: tuple[HealthStatus, ...] = ("ok", "degraded", "error")
    assert [options.code(Health(status=s, databases=())) for s in states] == [200, 218, 503]


def test_a_folder_that_is_not_there_has_no_signature(tmp_path: Any) -> None:
    assert signature_of(tmp_path / "gone") == ()
    (tmp_path / "a.sql").write_text("x")
    assert [name for name, _, _ in signature_of(tmp_path)] == ["a.sql"]
