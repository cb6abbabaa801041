"""Equal errors of many databases are printed once."""

import pytest

from dbwarden.cli import output
from dbwarden.errors import ConnectError, DBWardenError
from dbwarden.types import DatabaseName


def refused(name: str, message: str = "the server refused") -> DBWardenError:
    return ConnectError(
        message, database=DatabaseName(name), next_step=f"Look: dbwarden status -d {name}"
    )


def test_the_same_error_of_many_tenants_is_one_with_a_count(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.note_errors([refused(f"tenant_{number}") for number in range(500)])

    err = capsys.readouterr().err
    assert err.count("the server refused") == 1
    assert "tenant_0, tenant_1, tenant_2 and 497 more: the server refused" in err


def test_different_errors_stay_apart_and_in_order(capsys: pytest.CaptureFixture[str]) -> None:
    output.note_errors([refused("a"), refused("b", "it is gone"), refused("c")])

    err = capsys.readouterr().err
    assert [line for line in err.splitlines() if line.startswith("error")] == [
        "error: a, c: the server refused",
        "error: b: it is gone",
    ]


def test_the_suggested_command_names_all_databases(capsys: pytest.CaptureFixture[str]) -> None:
    output.note_errors([refused("a"), refused("b")])
    assert "next: Look: dbwarden status -d a -d b\n" in capsys.readouterr().err

    output.note_errors([refused(f"t{number}") for number in range(5)])
    assert "next: Look: dbwarden status -d t0 -d t1 -d t2 ...\n" in capsys.readouterr().err
