"""The HTTP status of a health report."""

from dbwarden.fastapi.health_report import HealthOptions
from dbwarden.operations.health import Health, HealthStatus


def test_a_state_has_its_http_status() -> None:
    options = HealthOptions(degraded_status_code=218)
    states: tuple[HealthStatus, ...] = ("ok", "degraded", "error")
    assert [options.code(Health(status=s, databases=())) for s in states] == [200, 218, 503]
