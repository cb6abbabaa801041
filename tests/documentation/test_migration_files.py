"""The migration files in the documentation work."""

import re
from pathlib import Path

from dbwarden.dialects.postgresql.sql.splitting import steps
from dbwarden.files.folder import read_folder
from dbwarden.types import DatabaseName

PAGE = Path(__file__).parents[2] / "docs" / "migration-files.md"


def test_every_file_on_the_page_can_be_read_and_cut_into_steps(tmp_path: Path) -> None:
    shown = re.findall(r"^`(\S+\.sql)`\n\n```sql\n(.*?)^```", PAGE.read_text(), re.M | re.S)
    for name, text in shown:
        (tmp_path / name).write_text(text)
    found = read_folder(tmp_path, DatabaseName("primary"), "postgresql")
    assert [item.key for item in found] == ["0001", "0002", "0003", "0004"]
    assert len(shown) == PAGE.read_text().count("```sql")
    assert found[2].irreversible
    assert found[3].depends_on == (1,)
    assert [(item.database, item.version) for item in found[3].requires] == [("analytics", 1)]
    outside = [step for step in steps(found[1], found[1].upgrade) if not step.transactional]
    assert [step.statements[0].text.split()[0] for step in outside] == ["CREATE", "CALL"]
    assert [len(steps(item, item.upgrade)) for item in found] == [1, 3, 1, 1]
