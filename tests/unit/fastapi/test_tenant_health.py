"""The health of tenants."""

import pytest

from dbwarden.fastapi.tenant_health import TenantsHealth, with_tenants
from dbwarden.operations.health import Health, HealthStatus


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
def test_only_the_failure_of_all_checked_tenants_degrades(
    own: HealthStatus, error: int, total: int | None, status: str
) -> None:
    tenants = TenantsHealth(
        pattern="t_{x}", total=total, looked_at=2, ok=2 - error, degraded=0, error=error
    )
    health = with_tenants(Health(status=own, databases=()), [tenants])
    assert health.status == status
