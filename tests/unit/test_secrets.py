"""Hidden values, texts without secrets, and exceptions without frames."""

import copy
import dataclasses
import json
import pickle
import traceback
from urllib.parse import quote, quote_plus

import pytest

from dbwarden.config.urls import parse_url
from dbwarden.errors import StatementFailed
from dbwarden.secrets import (
    Secret,
    clean_cause,
    describe_error,
    mask_sql,
    redact,
    remember,
    without_frames,
)

CANARY = "kanari1 x'kanari2\"%kanari3@:kanari4,;#kanari5"
FORMS = {
    "exact": CANARY,
    "percent-encoded": quote(CANARY, safe=""),
    "with plus signs": quote_plus(CANARY),
    "repr": repr(CANARY),
    "json": json.dumps(CANARY),
}


def test_a_secret_shows_only_when_it_is_revealed() -> None:
    secret = Secret(CANARY)
    assert secret.reveal() == CANARY
    assert {str(secret), repr(secret), f"{secret}", f"{secret!r}"} == {"***"}
    with pytest.raises(TypeError):
        json.dumps(secret)
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_a_secret_equals_its_value_and_is_hashable() -> None:
    assert Secret("a") == Secret("a") == "a"
    assert Secret("a") != "b"
    assert {Secret("a"): 1}[Secret("a")] == 1


def test_a_secret_survives_copies_as_itself() -> None:
    @dataclasses.dataclass
    class Holder:
        secret: Secret[str]

    holder = Holder(Secret(CANARY))
    assert copy.deepcopy(holder).secret.reveal() == CANARY
    assert "kanari" not in str(dataclasses.asdict(holder))


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS.keys())
def test_a_known_password_is_masked_in_every_form(form: str) -> None:
    parse_url(f"postgresql://ann:{quote(CANARY, safe='')}@h/db")
    assert redact(f"before {form} after") == redact(f"before {form} after").replace(form, "***")
    assert "kanari" not in redact(f"it says {form}, and\n{form}")


def test_the_passphrase_of_a_key_is_known_too() -> None:
    parse_url("postgresql://h/db?sslmode=require&sslpassword=passphrase-42")
    assert redact("bad passphrase-42 given") == "bad *** given"


@pytest.mark.parametrize("word", ["password", "user", "x", "abc"])
def test_a_password_that_is_a_common_word_does_not_garble_messages(word: str) -> None:
    parse_url(f"postgresql://user:{word}@localhost/myapp")
    text = 'password authentication failed for user "ann": x of abc'
    assert redact(text) == text


@pytest.mark.parametrize("password", ["q w'e\"r,t;y", "p@ss:word", "100%", "a b"])
@pytest.mark.parametrize(
    "text",
    [
        "cannot open postgresql://ann:{}@h/db now",
        "two\nlines: 'postgresql://:{}@h/db'",
        "host=h password={}",
        "input_value={{'password': '{}'}}",
        "DB_PASSWORD: {}",
    ],
)
def test_an_unknown_password_is_masked_where_it_looks_like_one(text: str, password: str) -> None:
    masked = redact(text.format(password))
    assert password not in masked and password.split(" ")[-1] not in masked.split("h/db")[0]
    assert "***" in masked


def test_passwords_of_the_environment_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "of the environment")
    monkeypatch.setenv("SHOP_URL", "postgresql://ann:in%20the%20url@h/db")
    assert redact("bad: of the environment, in the url, in%20the%20url") == "bad: ***, ***, ***"


def failing() -> Exception:
    def login(password: str) -> None:
        raise LookupError(f"the vault refuses {password}")

    try:
        login(CANARY)
    except LookupError as error:
        return error
    raise AssertionError


def test_an_error_is_described_without_the_secrets_of_its_frames() -> None:
    assert describe_error(failing()) == "LookupError: the vault refuses ***"


def test_a_cause_that_shows_a_secret_is_none_and_another_has_no_frames() -> None:
    assert clean_cause(failing()) is None
    try:
        raise LookupError("no vault") from failing()
    except LookupError as error:
        assert clean_cause(error) is None
    harmless = clean_cause(ValueError("no vault"))
    assert isinstance(harmless, ValueError)


def test_frames_are_dropped_from_the_whole_chain() -> None:
    try:
        try:
            raise ExceptionGroup("both", [failing(), failing()])
        except ExceptionGroup as group:
            raise ValueError("outer") from group
    except ValueError as error:
        found = without_frames(error)
    told = "".join(traceback.TracebackException.from_exception(found, capture_locals=True).format())
    assert "password = " not in told and 'File "' not in told


def test_only_the_latest_passwords_are_remembered() -> None:
    for number in range(10_001):
        remember(f"many passwords {number}.")
    assert redact("many passwords 0.") == "many passwords 0."
    assert redact("many passwords 10000.") == "***"


@pytest.mark.parametrize(
    ("sql", "masked"),
    [
        ("ALTER ROLE a PASSWORD 'kanari''s'", "ALTER ROLE a PASSWORD '***'"),
        (
            "CREATE ROLE a LOGIN ENCRYPTED PASSWORD E'kan\\'",
            "CREATE ROLE a LOGIN ENCRYPTED PASSWORD E'***'",
        ),
        (
            "CREATE USER MAPPING FOR a SERVER s OPTIONS (user 'ann', password 'kanari')",
            "CREATE USER MAPPING FOR a SERVER s OPTIONS (user 'ann', password '***')",
        ),
        (
            "CREATE SUBSCRIPTION s CONNECTION 'host=h password=kanari dbname=d' PUBLICATION p",
            "CREATE SUBSCRIPTION s CONNECTION 'host=h password=*** dbname=d' PUBLICATION p",
        ),
        (
            "SELECT dblink_connect('password=''two words'' host=h')",
            "SELECT dblink_connect('password=*** host=h')",
        ),
        ("SELECT f('postgresql://ann:kanari@h/d')", "SELECT f('postgresql://ann:***@h/d')"),
    ],
)
def test_a_statement_shows_no_password(sql: str, masked: str) -> None:
    assert mask_sql(sql) == masked
    assert StatementFailed("no", statement=sql).statement == masked


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE users SET password = crypt(password, gen_salt('bf')) WHERE name = 'ann'",
        "ALTER TABLE users ADD COLUMN password text NOT NULL DEFAULT ''",
        "SELECT 'password' || 'reset', '' FROM password_changes",
        "ALTER ROLE a PASSWORD NULL",
    ],
)
def test_a_statement_without_passwords_stays_as_it_is(sql: str) -> None:
    assert mask_sql(sql) == sql
