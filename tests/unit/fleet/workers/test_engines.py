"""An address leads to an engine: processes, Dask, or one of another package."""

import importlib
from pathlib import Path

import pytest

from dbwarden.errors import UsageError
from dbwarden.fleet.workers.engines import engine_of
from dbwarden.fleet.workers.processes import ProcessEngine


def test_a_number_means_processes() -> None:
    assert isinstance(engine_of("4"), ProcessEngine)


@pytest.mark.parametrize("address", ["0", "-1", "four", "", "://", "nomad://here", "dask"])
def test_what_is_neither_a_number_nor_an_address_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="--workers takes a number") as raised:
        engine_of(address)
    assert "dask://" in (raised.value.next_step or "")


def test_an_engine_of_another_package_is_found_by_its_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    metadata = tmp_path / "nomad_workers-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: nomad-workers\nVersion: 1.0\n")
    entry = "[dbwarden.workers]\nnomad = nomad_workers:NomadEngine\n"
    (metadata / "entry_points.txt").write_text(entry)
    (tmp_path / "nomad_workers.py").write_text("class NomadEngine:\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()

    assert type(engine_of("nomad://here")).__name__ == "NomadEngine"
