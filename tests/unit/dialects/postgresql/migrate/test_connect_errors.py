"""Driver errors become errors for the user, also those that no real server reports on demand."""

import errno
import ssl

import asyncpg
import pytest

from dbwarden.config.urls import parse_url
from dbwarden.dialects.postgresql.migrate.connect_errors import (
    connect_failure,
    place_of,
    server_too_old,
)
from dbwarden.errors import AccessDenied, ConnectError
from dbwarden.types import DatabaseName

URL = parse_url("postgresql://app:Pa55word@db.example/shop")


def refusal(error: Exception) -> ConnectError:
    found = connect_failure(error, URL, DatabaseName("primary"))
    assert "Pa55word" not in f"{found} {found.next_step} {found.detail}"
    return found


def said(sqlstate: str, message: str) -> asyncpg.PostgresError:
    fields = {"S": "FATAL", "C": sqlstate, "M": message, "H": "a hint"}
    error: asyncpg.PostgresError = asyncpg.PostgresError.new(fields)
    return error


@pytest.mark.parametrize(
    ("sqlstate", "message", "words", "advice"),
    [
        (
            "28000",
            'no pg_hba.conf entry for host "::1", user "app", database "shop", no encryption',
            "refused app",
            "sslmode=require",
        ),
        ("28000", 'role "app" is not permitted to log in', "not permitted", "LOGIN"),
        ("53300", "sorry, too many clients already", "takes no more connections", "--per-server"),
        ("57P03", "the database system is starting up", "is not ready", "dbwarden wait"),
        ("XX000", "something new", "refused the connection: something new", ""),
    ],
)
def test_refusals_of_the_server_are_explained(
    sqlstate: str, message: str, words: str, advice: str
) -> None:
    error = refusal(said(sqlstate, message))

    assert words in error.message
    assert advice in (error.next_step or "")
    assert error.hint == "a hint"


def test_a_database_that_is_called_as_the_setting_keeps_its_name() -> None:
    url = parse_url("postgresql://app@db.example/database_url")
    missing = said("3D000", 'database "database_url" does not exist')
    found = connect_failure(missing, url, DatabaseName("primary"), "scratch")
    assert "no database 'database_url'" in found.message
    assert found.next_step == "Set scratch to an existing database."


@pytest.mark.parametrize("setting", ["database_url", "migration_url", "scratch"])
def test_the_setting_that_holds_the_url_is_named(setting: str) -> None:
    def told(sqlstate: str) -> str:
        error = said(sqlstate, "no")
        found = connect_failure(error, URL, DatabaseName("primary"), setting)
        return f"{found.message} {found.next_step}"

    assert f"Check user and password in {setting}." in told("28P01")
    assert ("dbwarden create-database" in told("3D000")) is (setting != "scratch")
    assert ("Set scratch to an existing database" in told("3D000")) is (setting == "scratch")


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(errno.ENETUNREACH, "no way"), "cannot be reached"),
        (TimeoutError(errno.ETIMEDOUT, "too late"), "cannot be reached"),
        (OSError("Multiple exceptions: [Errno 111] x, [Errno 111] y"), "nothing listens"),
        (ConnectionResetError(errno.ECONNRESET, "reset"), "closed the connection"),
        (PermissionError(errno.EACCES, "no"), "permission denied for the server's socket"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong"), "TLS with db.example:5432 failed"),
        (asyncpg.InterfaceError("bad password=Pa55word option"), "the driver cannot use the URL"),
        (ValueError("odd"), "connecting to db.example:5432 failed: odd"),
    ],
)
def test_network_errors_are_explained(error: Exception, words: str) -> None:
    assert words in refusal(error).message


def test_an_untrusted_certificate_is_explained() -> None:
    error = ssl.SSLCertVerificationError(1, "verify failed")
    error.verify_message = "self-signed certificate"

    found = refusal(error)

    assert "self-signed certificate" in found.message
    assert "sslrootcert" in (found.next_step or "")


def test_a_refused_user_is_denied() -> None:
    assert isinstance(refusal(said("28P01", "no")), AccessDenied)


def test_places_are_written_for_people() -> None:
    assert place_of(parse_url("postgresql:///shop")) == "localhost:5432"
    assert place_of(parse_url("postgresql://a,b:6543/shop")) == "a:5432 or b:6543"
    assert place_of(parse_url("postgresql:///x?host=/run/pg")) == "/run/pg (port 5432)"


def test_a_server_past_its_end_of_life_is_refused() -> None:
    assert server_too_old(14, URL, DatabaseName("primary")) is None
    refused = server_too_old(13, URL, DatabaseName("primary"))
    assert refused is not None
    assert str(refused).startswith(
        f"primary: {place_of(URL)} runs PostgreSQL 13, but dbwarden needs 14 or newer"
    )
    assert refused.next_step == "Upgrade the server (pg_upgrade) to PostgreSQL 14 or newer."


def test_the_environment_completes_the_host_and_port_of_the_url(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PGHOST", raising=False)
    monkeypatch.delenv("PGPORT", raising=False)
    assert place_of(parse_url("postgresql:///shop")) == "localhost:5432"
    monkeypatch.setenv("PGHOST", "db.internal")
    monkeypatch.setenv("PGPORT", "6432")
    assert place_of(parse_url("postgresql:///shop")) == "db.internal:6432"
    assert place_of(parse_url("postgresql://h/shop")) == "h:6432"
    assert place_of(parse_url("postgresql://h:1/shop")) == "h:1"
