"""docs/tenants.md has every option of tenants."""

import re
from pathlib import Path

from dbwarden.config import tenants as tenants_module
from dbwarden.config.registry import TENANT_OPTIONS
from dbwarden.config.tenant_validation import REFRESH_AFTER


def test_every_option_has_its_row_in_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "tenants.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+?) \|", text, re.MULTILINE))
    assert set(rows) == {*TENANT_OPTIONS, "database_url"}
    assert rows["id_pattern"] == f"`{tenants_module.DEFAULT_IDS}`"
    assert rows["refresh_after"] == f"`{REFRESH_AFTER:g}`"
