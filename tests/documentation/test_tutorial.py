"""docs/tutorial.md from top to bottom: each file written, each command run as printed."""

from pathlib import Path

import pytest

from tests.documentation.tutorial import Reader

PAGE = (Path(__file__).parents[2] / "docs" / "tutorial.md").read_text(encoding="utf-8")


@pytest.mark.long
def test_the_tutorial_can_be_followed_as_printed(tmp_path: Path) -> None:
    folder = tmp_path / "shop"
    folder.mkdir()
    reader = Reader(folder)
    try:
        commands = list(reader.follow(PAGE))
    finally:
        reader.stop()
        reader.run("dbwarden dev-server stop --remove")
    assert len(commands) > 20
