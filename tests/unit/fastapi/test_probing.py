"""Signatures of migration folders."""

from typing import Any

from dbwarden.fastapi.probing import signature_of


def test_a_missing_folder_has_no_signature(tmp_path: Any) -> None:
    assert signature_of(tmp_path / "gone") == ()
    (tmp_path / "a.sql").write_text("x")
    assert [name for name, _, _ in signature_of(tmp_path)] == ["a.sql"]
