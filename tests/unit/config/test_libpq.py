"""Each parameter of libpq is translated for asyncpg or refused, as asyncpg's parser shows."""

import inspect
import re
import ssl
from pathlib import Path
from typing import Any

import pytest
from asyncpg import connect_utils
from asyncpg.connect_utils import SSLMode, SSLNegotiation

from dbwarden.config.libpq import (
    asyncpg_arguments,
    engine_arguments,
    search_path,
    server_settings,
    unreadable_files,
)
from dbwarden.config.urls import parse_url
from dbwarden.errors import ConfigurationError
from dbwarden.secrets import Secret

# Every parameter that libpq 18 documents (34.1.2), so that none can be forgotten.
LIBPQ = re.findall(
    r"\w+",
    """
host hostaddr port dbname user password passfile require_auth channel_binding connect_timeout
client_encoding options application_name fallback_application_name keepalives keepalives_idle
keepalives_interval keepalives_count tcp_user_timeout replication gssencmode sslmode requiressl
sslnegotiation sslcompression sslcert sslkey sslkeylogfile sslpassword sslcertmode sslrootcert
sslcrl sslcrldir sslsni requirepeer ssl_min_protocol_version ssl_max_protocol_version
min_protocol_version max_protocol_version krbsrvname gsslib gssdelegation scram_client_key
scram_server_key service servicefile target_session_attrs load_balance_hosts oauth_issuer
oauth_client_id oauth_client_secret oauth_scope
""",
)


def arguments(query: str, address: str = "ann:pw@h/db") -> dict[str, Any]:
    return asyncpg_arguments(parse_url(f"postgresql://{address}?{query}", root=Path("/project")))


def judged(given: dict[str, Any]) -> tuple[list[Any], Any]:
    """What asyncpg makes of *given*: addresses and parameters."""
    known = inspect.signature(connect_utils._parse_connect_dsn_and_args).parameters
    ours = {
        name: value.reveal() if isinstance(value, Secret) else value
        for name, value in given.items()
        if name in known
    }
    parsed: tuple[list[Any], Any] = connect_utils._parse_connect_dsn_and_args(
        **{**dict.fromkeys(known), **ours}
    )
    return parsed


@pytest.fixture(autouse=True)
def no_libpq_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGSSLMODE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.mark.parametrize("name", LIBPQ)
def test_no_parameter_of_libpq_is_unknown(name: str) -> None:
    try:
        parse_url(f"postgresql://h/db?{name}=strange")
    except ConfigurationError as error:
        assert "no connection parameter" not in str(error)


def test_address_and_login_are_what_asyncpg_takes() -> None:
    given = arguments("", "ann:pw@h:5433/shop")
    assert {**given, "password": given["password"].reveal()} == {
        "host": "h",
        "port": 5433,
        "user": "ann",
        "password": "pw",
        "database": "shop",
    }
    addresses, parameters = judged(given)
    assert addresses == [("h", 5433)]
    assert (parameters.user, parameters.database, parameters.password) == ("ann", "shop", "pw")


def test_parts_missing_in_the_url_are_left_to_asyncpg() -> None:
    assert arguments("", "") == {}
    assert arguments("", ":5433") == {"port": 5433}


def test_several_hosts_keep_their_ports() -> None:
    given = arguments("", "ann@h1,[::1]:2,%2Frun/db")
    assert judged(given)[0] == [("h1", 5432), ("::1", 2), "/run/.s.PGSQL.5432"]


def test_a_socket_folder_is_a_host() -> None:
    assert judged(arguments("host=/var/run/x", "ann@/db"))[0] == ["/var/run/x/.s.PGSQL.5432"]


def test_a_password_has_no_readable_repr() -> None:
    given = arguments("", "ann:hunter2@h/db")
    assert "hunter2" not in repr(given)
    assert given["password"].reveal() == "hunter2"
    assert "hunter2" not in repr(arguments("sslmode=require&sslpassword=hunter2"))


@pytest.mark.parametrize("mode", ["disable", "allow", "prefer", "require"])
@pytest.mark.parametrize("name", ["sslmode", "ssl"])
def test_tls_modes_mean_the_same_to_asyncpg_and_libpq(name: str, mode: str) -> None:
    parameters = judged(arguments(f"{name}={mode}"))[1]
    assert parameters.sslmode is SSLMode.parse(mode)


def test_certificates_reach_the_tls_context(tmp_path: Path) -> None:
    (tmp_path / "root.pem").write_text("no certificate")
    given = arguments(f"sslmode=verify-full&sslrootcert={tmp_path}/root.pem")
    # Only the TLS library reads the file: that it complains shows that the path arrived.
    with pytest.raises(ssl.SSLError):
        judged(given)


def test_the_systems_certificates_can_be_asked_for() -> None:
    parameters = judged(arguments("sslrootcert=system&sslmode=verify-full"))[1]
    assert parameters.sslmode is SSLMode.verify_full
    assert parameters.ssl.verify_mode is ssl.CERT_REQUIRED
    assert parameters.ssl.check_hostname


def test_the_oldest_tls_version_can_be_raised() -> None:
    query = "sslmode=require&ssl_min_protocol_version=TLSv1.3&ssl_max_protocol_version=TLSv1.3"
    context = judged(arguments(query))[1].ssl
    assert context.minimum_version is context.maximum_version is ssl.TLSVersion.TLSv1_3


def test_direct_tls_can_be_asked_for() -> None:
    direct = judged(arguments("sslmode=require&sslnegotiation=direct"))[1]
    assert direct.ssl_negotiation is SSLNegotiation.direct
    usual = judged(arguments("sslnegotiation=postgres"))[1]
    assert usual.ssl_negotiation is SSLNegotiation.postgres


def test_paths_of_files_count_from_the_project() -> None:
    query = "sslmode=require&sslrootcert=certs/root.pem&passfile=/srv/pass"
    url = parse_url(f"postgresql://h/db?{query}", root=Path("/project"))
    assert dict(url.query)["sslrootcert"] == "/project/certs/root.pem"
    assert asyncpg_arguments(url)["passfile"] == "/srv/pass"


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("")
    query = f"sslrootcert=system&passfile={tmp_path}/key"
    assert unreadable_files(parse_url(f"postgresql://h/db?{query}")) == ()
    query = f"sslcert={tmp_path}/none&sslkey={tmp_path}/key"
    url = parse_url(f"postgresql://h/db?{query}")
    assert unreadable_files(url) == (f"sslcert: {tmp_path}/none",)


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        ("-c search_path=app", {"search_path": "app"}),
        (
            "-csearch_path=app,public -c work_mem=1MB",
            {"search_path": "app,public", "work_mem": "1MB"},
        ),
        ("--search-path=a", {"search_path": "a"}),
        (r"-c a.b=with\ blank\\", {"a.b": "with blank\\"}),
        ("-c x=", {"x": ""}),
        ("endpoint=ep-cool-1", {"options": "endpoint=ep-cool-1"}),
        ("-c x=1 -B 5", {"options": "-c x=1 -B 5"}),
    ],
)
def test_options_become_settings_of_the_server(options: str, settings: dict[str, str]) -> None:
    from urllib.parse import quote

    assert arguments("options=" + quote(options))["server_settings"] == settings


def test_the_search_path_of_the_options_is_known() -> None:
    url = parse_url("postgresql://h/db?options=-c%20search_path%3Dapp")
    assert search_path(url) == ("app",)
    assert search_path(parse_url("postgresql://h/db")) == ()


def test_the_application_is_named_to_the_server() -> None:
    fallback = parse_url("postgresql://h/db?fallback_application_name=b")
    assert server_settings(fallback) == {"application_name": "b"}
    both = parse_url("postgresql://h/db?application_name=a&fallback_application_name=b")
    assert asyncpg_arguments(both)["server_settings"] == {"application_name": "a"}


@pytest.mark.parametrize("which", ["any", "read-write", "read-only", "primary", "prefer-standby"])
def test_the_wanted_server_reaches_asyncpg(which: str) -> None:
    parameters = judged(arguments(f"target_session_attrs={which}", "ann@h1,h2/db"))[1]
    assert parameters.target_session_attrs.value == which


def test_the_connect_timeout_is_in_seconds() -> None:
    assert arguments("connect_timeout=3")["timeout"] == 3.0


def test_kerberos_is_passed_on() -> None:
    parameters = judged(arguments("krbsrvname=pg&gsslib=sspi"))[1]
    assert (parameters.krbsrvname, parameters.gsslib) == ("pg", "sspi")


def test_both_names_of_the_statement_cache_reach_both_drivers() -> None:
    for name in ("statement_cache_size", "prepared_statement_cache_size"):
        url = parse_url(f"postgresql://h/db?{name}=0")
        assert asyncpg_arguments(url)["statement_cache_size"] == 0
        assert "prepared_statement_cache_size" not in asyncpg_arguments(url)
        assert engine_arguments(url)["prepared_statement_cache_size"] == 0
    assert engine_arguments(parse_url("postgresql://h/db")) == {"host": "h", "database": "db"}


@pytest.mark.parametrize(
    "query",
    [
        "channel_binding=prefer",
        "client_encoding=UTF8",
        "gssencmode=disable",
        "load_balance_hosts=disable",
        "max_protocol_version=3.0",
        "sslcompression=0",
        "sslsni=1",
    ],
)
def test_parameters_for_asyncpgs_own_behaviour_are_accepted(query: str) -> None:
    assert arguments(query) == arguments("")


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("sslmode=requir", "did you mean 'require'?"),
        ("sslmode=no-verify", "did you mean 'require'?"),
        ("sslmode=false", "did you mean 'disable'?"),
        ("sslmode=", "sslmode is empty"),
        ("sslmod=require", "did you mean 'sslmode'?"),
        ("search_path=app", "A setting of the server goes into options"),
        ("sslmode=require&sslmode=disable", "sslmode is given twice"),
        ("channel_binding=require", "asyncpg has no channel binding"),
        ("client_encoding=latin1", "asyncpg always speaks UTF-8"),
        ("hostaddr=10.0.0.1", "write the address as the host"),
        ("keepalives_idle=30", "leaves it to the operating system"),
        ("service=shop", "read the file in a callable"),
        ("requiressl=1", "write sslmode=require"),
        ("target_session_attrs=master", "target_session_attrs is one of"),
        ("connect_timeout=soon", "connect_timeout is a whole number"),
        ("connect_timeout=0", "never waits for ever"),
        ("statement_cache_size=none", "statement_cache_size is a whole number"),
        ("sslnegotiation=direct", "needs sslmode=require"),
        ("sslnegotiation=direct&sslmode=prefer", "needs sslmode=require"),
        ("sslrootcert=system&sslmode=require", "needs sslmode=verify-full"),
        ("sslrootcert=system&sslcert=c.pem", "sslcert cannot be combined"),
    ],
)
def test_parameters_without_support_in_asyncpg_are_refused_with_a_next_step(
    query: str, words: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_url(f"postgresql://ann:hunter2@h/db?{query}")
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)
