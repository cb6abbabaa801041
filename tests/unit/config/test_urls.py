"""Database URLs: parsing, display, and equal targets."""

import traceback
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy
from hypothesis import given
from hypothesis import strategies as st

from dbwarden.config.urls import DatabaseURL, PostgreSQLURL, SQLiteURL, parse_url
from dbwarden.errors import ConfigurationError
from dbwarden.secrets import Secret, redact

ROOT = Path("/project")


def problem_of(url: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        parse_url(url, root=ROOT)
    return str(caught.value)


# -- reading ------------------------------------------------------------------------------------


def test_every_part_of_a_postgresql_url_is_read() -> None:
    url = parse_url("postgresql+psycopg://ann:pa%40ss@db.example:5433/shop?sslmode=require")
    assert url == PostgreSQLURL(
        driver="psycopg",
        user="ann",
        password=Secret("pa@ss"),
        hosts=(("db.example", 5433),),
        database="shop",
        query=(("sslmode", "require"),),
    )


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("postgresql:///db", ()),
        ("postgresql://", ()),
        ("postgresql://h", (("h", None),)),
        ("postgresql://:5433/db", (("", 5433),)),
        ("postgresql:///db?port=5433", (("", 5433),)),
        ("postgresql://h1:5432,h2:5433/db", (("h1", 5432), ("h2", 5433))),
        ("postgresql://h1,h2/db?port=5433", (("h1", 5433), ("h2", 5433))),
        ("postgresql://h1,h2/db?port=1,2", (("h1", 1), ("h2", 2))),
        ("postgresql:///db?host=h1:1&host=h2:2", (("h1", 1), ("h2", 2))),
        ("postgresql:///db?host=h1,h2&port=1,2", (("h1", 1), ("h2", 2))),
        ("postgresql://[::1]:5433/db", (("::1", 5433),)),
        ("postgresql://[::1]/db", (("::1", None),)),
        ("postgresql://[fe80::1%25eth0]/db", (("fe80::1%eth0", None),)),
        ("postgresql:///db?host=::1", (("::1", None),)),
        ("postgresql:///db?host=/var/run/postgresql", (("/var/run/postgresql", None),)),
        ("postgresql:///db?host=/run/a%2520b", (("/run/a%20b", None),)),
        ("postgresql://%2Fvar%2Frun:5433/db", (("/var/run", 5433),)),
        ("postgresql://localhost/db?host=/cloudsql/p:r:i", (("/cloudsql/p:r:i", None),)),
    ],
)
def test_hosts_are_names_addresses_and_socket_folders(
    text: str, hosts: tuple[tuple[str, int | None], ...]
) -> None:
    assert parse_url(text).hosts == hosts


def test_user_password_and_database_of_the_query_take_precedence() -> None:
    url = parse_url("postgresql://x:y@h/z?user=ann&password=s%26t&dbname=shop")
    assert (url.user, url.password, url.database) == ("ann", Secret("s&t"), "shop")
    assert url.query == ()


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg", "POSTGRESQL"])
def test_each_spelling_of_postgresql_is_the_same_kind(scheme: str) -> None:
    assert parse_url(f"{scheme}://h/db").dialect == "postgresql"


@pytest.mark.parametrize(
    ("text", "database"),
    [
        ("sqlite://", ":memory:"),
        ("sqlite:///", ":memory:"),
        ("sqlite:///:memory:", ":memory:"),
        ("sqlite:///data/app.db", "/project/data/app.db"),
        ("sqlite:///./data/../app.db", "/project/app.db"),
        ("sqlite+aiosqlite:////srv/app.db", "/srv/app.db"),
        ("sqlite+pysqlite:///a@b%20c.db", "/project/a@b c.db"),
        ("sqlite:///file:app.db?uri=true&mode=ro", "file:/project/app.db"),
        ("sqlite:///file:///srv/a%2520b.db?uri=1", "file:/srv/a%20b.db"),
        ("sqlite:///file://localhost/srv/a.db?uri=yes", "file:/srv/a.db"),
        ("sqlite:///file::memory:?cache=shared&uri=true", "file::memory:"),
        ("sqlite:///file:shared?mode=memory&cache=shared&uri=true", "file:shared"),
    ],
)
def test_sqlite_paths_are_absolute_and_count_from_the_project(text: str, database: str) -> None:
    assert parse_url(text, root=ROOT).database == database


def test_without_a_root_paths_count_from_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert parse_url("sqlite:///app.db").file == tmp_path / "app.db"


@pytest.mark.parametrize(
    ("text", "file"),
    [
        ("sqlite:///a.db", ROOT / "a.db"),
        ("sqlite:///file:a%2520b.db?uri=true", ROOT / "a b.db"),
        ("sqlite:///file:a?mode=memory&uri=true", None),
        ("sqlite://", None),
        ("postgresql:///db", None),
    ],
)
def test_file_is_where_sqlite_keeps_the_database(text: str, file: Path | None) -> None:
    assert parse_url(text, root=ROOT).file == file


def test_a_sqlalchemy_url_is_read_without_being_printed() -> None:
    made = sqlalchemy.URL.create(
        "postgresql+asyncpg", "ann", "p@/?:%", "h", 5433, "a/b?c", {"host": ["h1:1", "h2:2"]}
    )
    url = parse_url(made)
    assert (url.user, url.password, url.database) == ("ann", Secret("p@/?:%"), "a/b?c")
    assert url.hosts == (("h1", 1), ("h2", 2))
    assert parse_url(sqlalchemy.make_url("sqlite:///x.db"), root=ROOT).database == "/project/x.db"
    assert parse_url(sqlalchemy.URL.create("postgresql", port=5433)).hosts == (("", 5433),)


def test_pydantics_urls_and_secrets_are_read() -> None:
    import pydantic

    text = "postgresql://ann:pw@h:5432/db"
    expected = parse_url(text)
    assert parse_url(pydantic.SecretStr(text)) == expected
    assert parse_url(pydantic.PostgresDsn(text)) == expected


def test_blanks_around_a_url_do_not_count() -> None:
    assert parse_url(" postgresql://h/db\n") == parse_url("postgresql://h/db")


# -- refusing -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (None, "is the environment variable set?"),
        ("  ", "is the environment variable set?"),
        (42, "type int"),
        ("app.db", "not a database URL"),
        ("mysql://u:p@h/db", "'mysql' is no kind of database that dbwarden speaks"),
        ("postgrsql://h/db", "did you mean 'postgresql'?"),
        (sqlalchemy.URL.create("mssql+pyodbc", "u"), "it speaks postgresql and sqlite"),
        ("postgresql+foo://h/db", "dbwarden always uses asyncpg"),
        ("sqlite+pysqlcipher:///a.db", "dbwarden always uses aiosqlite"),
        ("postgresql://h:http/db", "the port is not a number from 1 to 65535"),
        ("postgresql://h:70000/db", "the port is not a number from 1 to 65535"),
        ("postgresql://h:0/db", "the port is not a number from 1 to 65535"),
        ("postgresql://h1,h2/db?port=1,2,3", "one port, or one for each host"),
        ("postgresql:///db?port=1,2", "one port, or one for each host"),
        ("postgresql://h1,,h2/db", "one of the hosts has no name"),
        ("postgresql:///db?host=%40socket", "abstract socket"),
        ("postgresql://[::1/db", "written as [::1]"),
        ("postgresql://[]/db", "written as [::1]"),
        ("postgresql://[h:1]/db", "written as [::1]"),
        (sqlalchemy.URL.create("postgresql", host="h:1"), "holds a colon"),
        ("postgresql://[::1]5432/db", "written as [::1]"),
        ("postgresql://user:pass:5432/db", "cannot be told apart"),
        ("postgresql://u:a/b@h/db", "write @ as %40"),
        ("postgresql://u:a?b@h/db", "write @ as %40"),
        ("postgresql://h/db?sslmode", "has no ="),
        ("sqlite://app.db", "three slashes"),
        ("sqlite://C:/app.db", "three slashes"),
        (sqlalchemy.URL.create("sqlite", host="app.db"), "three slashes"),
        ("sqlite:///file:app.db", "uri=true go together"),
        ("sqlite:///app.db?uri=true", "uri=true go together"),
        ("sqlite:///file://host/app.db?uri=true", "has no host"),
        ("sqlite:///app.db?uri=perhaps", "uri is true or false"),
        ("sqlite:///app.db?mode=ro", "needs a file: name"),
        ("sqlite:///app.db?timeut=3", "did you mean 'timeout'?"),
        ("sqlite:///app.db?timeout=long", "timeout is a number of seconds"),
        ("sqlite:///app.db?timeout=1&timeout=2", "given twice"),
    ],
)
def test_an_unusable_url_is_refused_with_the_reason(url: object, words: str) -> None:
    assert words in problem_of(url)


# -- showing ------------------------------------------------------------------------------------

MARK = "hunter2"


@given(
    before=st.text(alphabet=":/@?#%&=[],+ a1", max_size=5),
    after=st.text(alphabet=":/@?#%&=[],+ a1", max_size=5),
)
def test_a_password_is_masked_in_every_spelling(before: str, after: str) -> None:
    text = f"postgresql://user:{before}{MARK}{after}@host/db"
    try:
        url = parse_url(text)
    except ConfigurationError as error:
        told = traceback.TracebackException.from_exception(error, capture_locals=True)
        # This test's own frame comes first and holds the password, of course.
        frames = [frame.locals or {} for frame in told.stack[1:]]
        shown = f"{error!s} {error!r} {vars(error)} {frames} {error.__context__}"
    else:
        assert url.password == sqlalchemy.make_url(url.render()).password
        shown = f"{url} {url!r} {url.display} {url.target} {url.server} {url.engine_parts()}"
    assert MARK not in shown


def test_the_passphrase_of_a_key_does_not_show() -> None:
    url = parse_url(f"postgresql://h/db?sslmode=require&sslkey=/k&sslpassword={MARK}")
    assert url.display == "postgresql://h/db?sslmode=require&sslkey=/k&sslpassword=***"
    assert MARK not in repr(url)


def test_the_displayed_url_has_no_driver_and_no_password() -> None:
    assert str(parse_url("postgres+psycopg2://ann:x@h1:1,[::1]:2/a%20b")) == (
        "postgresql://ann:***@h1:1,[::1]:2/a%20b"
    )
    assert parse_url("sqlite:///a.db", root=ROOT).display == "sqlite:////project/a.db"


names = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1)
hosts = st.one_of(
    st.tuples(st.from_regex(r"[a-z][a-z0-9.-]{0,20}", fullmatch=True), st.none() | st.just(5433)),
    st.tuples(st.ip_addresses(v=6).map(str), st.none() | st.integers(1, 65535)),
    st.tuples(st.from_regex(r"/[a-z/:% ,@]{1,20}", fullmatch=True), st.none() | st.just(1)),
)


@given(
    url=st.builds(
        PostgreSQLURL,
        driver=st.none() | st.just("asyncpg"),
        user=st.none() | names,
        password=st.none() | names.map(Secret),
        hosts=st.lists(hosts, max_size=3).map(tuple),
        database=st.just("") | names,
        query=st.lists(st.tuples(st.just("application_name"), names), max_size=1).map(tuple),
    )
)
def test_a_rendered_url_reads_as_the_same_url(url: DatabaseURL) -> None:
    assert parse_url(url.render()) == url


@given(name=names.filter(lambda name: name.strip("./") and not name.startswith(("file:", ":"))))
def test_a_rendered_sqlite_url_reads_as_the_same_file(name: str) -> None:
    url = SQLiteURL(database=str(ROOT / name.strip("/") / "x.db"))
    settled = replace(url, database=str(parse_url(url.render()).database))
    assert parse_url(settled.render()) == settled


@given(user=names, password=names, database=names)
def test_sqlalchemy_reads_a_rendered_url_in_the_same_way(
    user: str, password: str, database: str
) -> None:
    url = PostgreSQLURL(
        user=user,
        password=Secret(password),
        hosts=(("h", 5433),),
        database=database,
    )
    theirs = sqlalchemy.make_url(replace(url, driver="asyncpg").render())
    assert theirs.drivername == "postgresql+asyncpg"
    assert (theirs.username, theirs.password) == (user, password)
    assert (theirs.host, theirs.port) == ("h", 5433)
    if sqlalchemy.make_url("postgresql://h/%3A").database == ":":  # not in SQLAlchemy 2.0.36
        assert theirs.database == database


def test_an_engines_url_is_asynchronous_and_holds_no_password() -> None:
    parts = parse_url("postgres://ann:x@h1:1,h2:2/db?sslmode=require").engine_parts()
    made = sqlalchemy.URL.create(**parts)
    assert made.render_as_string(hide_password=False) == "postgresql+asyncpg://ann@h1:1/db"
    empty = sqlalchemy.URL.create(**parse_url("postgres://").engine_parts())
    assert str(empty) == "postgresql+asyncpg://"


def test_an_engines_url_of_sqlite_keeps_what_its_driver_takes() -> None:
    parts = parse_url("sqlite:///a.db?timeout=3", root=ROOT).engine_parts()
    assert str(sqlalchemy.URL.create(**parts)) == "sqlite+aiosqlite:////project/a.db?timeout=3"


# -- one target ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("postgresql://h/db", "postgres://someone:x@H.:5432/db"),
        ("postgresql://localhost/db", "postgresql://127.0.0.1:5432/db"),
        ("postgresql://localhost/db", "postgresql+psycopg://[0:0:0:0:0:0:0:1]/db?sslmode=disable"),
        ("postgresql://h1,h2/db", "postgresql://h2,h1/db"),
        ("postgresql://ann@h", "postgresql://h/ann"),
        ("postgresql://[FE80::1%25eth0]/db", "postgresql://[fe80::1%25eth0]/db"),
        ("postgresql:///db?host=/run//a/", "postgresql:///db?host=/run/a"),
        ("sqlite:///a.db", "sqlite:////project/./x/../a.db?timeout=9"),
        ("sqlite:///a.db", "sqlite:///file:a.db?mode=ro&uri=true"),
    ],
)
def test_two_spellings_of_one_database_have_one_target(one: str, other: str) -> None:
    assert parse_url(one, root=ROOT).target == parse_url(other, root=ROOT).target is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("postgresql://h/db", "postgresql://h/DB"),
        ("postgresql://h/db", "postgresql://h:5433/db"),
        ("postgresql://h/db", "postgresql://h2/db"),
        ("postgresql://127.0.0.1/db", "postgresql://127.0.0.2/db"),
        (
            "postgresql://h1,h2/db?target_session_attrs=primary",
            "postgresql://h1,h2/db?target_session_attrs=standby",
        ),
        ("sqlite:///a.db", "sqlite:///b.db"),
    ],
)
def test_different_databases_have_different_targets(one: str, other: str) -> None:
    assert parse_url(one, root=ROOT).target != parse_url(other, root=ROOT).target


def test_a_link_to_a_file_is_the_same_target(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "real.db")
    link = parse_url("sqlite:///link.db", root=tmp_path)
    assert link.target == parse_url("sqlite:///real.db", root=tmp_path).target


@pytest.mark.parametrize("text", ["sqlite://", "sqlite:///file:a?mode=memory&uri=true"])
def test_a_database_in_memory_is_never_the_same_target(text: str) -> None:
    assert parse_url(text).target is None


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("postgresql://H/db", "h:5432"),
        ("postgresql://127.0.0.1:5433/db", "localhost:5433"),
        ("postgresql:///db", ":5432"),
        ("postgresql://h2,h1:1/db", "h1:1,h2:5432"),
        ("sqlite:///a.db", "/project/a.db"),
        ("sqlite://", ":memory:"),
    ],
)
def test_databases_of_one_server_share_its_key(text: str, server: str) -> None:
    assert parse_url(text, root=ROOT).server == server


# -- text of others -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "cannot connect to postgresql://ann:hunter2@h/db now",
        "postgresql://ann:a@hunter2@h/db",
        "input_value={'password': 'hunter2', 'x': 1}",
        "host=h password=hunter2 dbname=x",
        "DB_PASSWORD: hunter2",
    ],
)
def test_passwords_in_texts_of_drivers_are_masked(text: str) -> None:
    assert MARK not in redact(text)


def test_harmless_texts_of_drivers_stay_unchanged() -> None:
    text = 'password authentication failed for user "ann" at postgresql://ann@h/db'
    assert redact(text) == text


@pytest.mark.parametrize("text", ["${SHOP_URL}", "$SHOP_URL", "{SHOP_URL}", "{env:SHOP_URL}"])
def test_a_placeholder_of_another_tool_suggests_os_environ(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r'write os\.environ\["SHOP_URL"\]'):
        parse_url(text)
