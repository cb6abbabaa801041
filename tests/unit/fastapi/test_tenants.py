"""Tenants of requests."""

import pytest

from dbwarden.fastapi.tenants import field_of, first_label, header_of, name_of_tenant


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
def test_an_invalid_id_is_no_tenant(tenant_id: str | None) -> None:
    assert name_of_tenant("t_{x}", "x", tenant_id) is None


def test_an_id_becomes_a_name() -> None:
    assert name_of_tenant("t_{x}", "x", "acme-2") == "t_acme-2"
