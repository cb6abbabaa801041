"""docs/configuration.md has every option and parameter with its default."""

import dataclasses
import re
from pathlib import Path

import pytest

from dbwarden.config import libpq
from dbwarden.config.database_options import OPTIONS, DatabaseConfig
from dbwarden.config.loading import load_project
from dbwarden.config.names import RESERVED

TEXT = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text()
TABLE = TEXT.partition("## Options")[2].partition("## URLs")[0]
ROWS = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", TABLE, re.MULTILINE))


def test_every_option_has_its_row_in_the_order_of_the_table() -> None:
    assert list(ROWS) == list(OPTIONS)
    assert [name for name, default in ROWS.items() if default == "required"] == [
        name for name, option in OPTIONS.items() if option.required
    ]


def test_every_documented_default_is_true() -> None:
    for field in dataclasses.fields(DatabaseConfig):
        if field.name not in ROWS or not re.fullmatch("`.*`", ROWS[field.name]):
            continue
        told = ROWS[field.name].strip("`")
        if field.default_factory is not dataclasses.MISSING:
            assert told == "{}"
        elif field.default == ():
            assert told == "[]"
        elif field.default is not dataclasses.MISSING:
            default = field.default
            assert told == (f"{default:g}" if type(default) is float else str(default)), field.name


def test_every_parameter_of_a_postgresql_url_is_documented() -> None:
    silent = {name for name in libpq._KNOWN if not re.search(rf"`{name}`", TEXT)}
    # Told as a family.
    assert {name for name in silent if not name.startswith(("keepalives_", "oauth_"))} <= {
        "database"
    }


def test_every_reserved_name_is_documented() -> None:
    assert all(f"`{name}`" in TEXT for name in RESERVED)


@pytest.mark.parametrize("block", re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)[:1])
def test_the_first_example_loads(project: Path, block: str) -> None:
    (project / "dbwarden.py").write_text(block)
    assert load_project().names == ("primary", "analytics")
