"""The code blocks of the guides form an application that runs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.integration.fastapi.conftest import Site
from tests.integration.fastapi.programs import run, uvicorn

DOCS = Path(__file__).parents[3] / "docs"
BLOCK = re.compile(r"^```python([^\n]*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page: str) -> list[tuple[str, str]]:
    """What stands behind ``python``, and the code, of each block."""
    return [(what.strip(), code) for what, code in BLOCK.findall((DOCS / page).read_text())]


@pytest.fixture
def guide(site: Site) -> Site:
    """The application of docs/fastapi.md, on databases that have been migrated."""
    for name in ("primary", "analytics"):
        site.add(name, f"sqlite:///{name}.db", default=name == "primary")
    found = blocks("fastapi.md")
    site.lines += [code for what, code in found if "dbwarden.py" in what]
    site.write()
    site.users("primary", "analytics")
    site.migration("tenant", "0001", "CREATE TABLE notes (id integer, body text);")
    (site.root / "data").mkdir()
    (site.root / "app").mkdir()
    (site.root / "app" / "main.py").write_text("".join(code for what, code in found if not what))
    run(site.root, "dbwarden migrate --all")
    return site


def test_the_guide_from_top_to_bottom_is_one_application(
    guide: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPERATOR_PASSWORD", "sesame")
    with uvicorn(guide.root) as client:
        assert client.get("/versions").json() == ["0001", "0001"]
        assert client.get("/health").json()["status"] == "ok"
        assert client.get("/tenants/acme/notes").json() == []
        assert client.get("/tenants/nobody/notes").status_code == 404
        assert client.get("/data?tenant_id=acme").json() == []
        for unknown in ("nobody", "..%2Fx"):
            assert client.get(f"/data?tenant_id={unknown}").status_code == 404
        assert 'dbwarden_up{database="primary"} 1.0' in client.get("/metrics/").text
        assert client.get("/dbwarden").status_code == 403
        client.cookies.set("operator", "sesame")
        assert client.get("/dbwarden").status_code == 200


def test_the_application_of_the_readme_runs(site: Site) -> None:
    found = BLOCK.findall((DOCS.parent / "README.md").read_text(encoding="utf-8"))
    (code,) = [text for _, text in found if text.startswith("# shop/main.py")]
    run(site.root, "dbwarden init --models shop.models --fastapi")
    run(site.root, "dbwarden make-migrations -m notes")
    run(site.root, "dbwarden migrate")
    (site.root / "shop" / "main.py").write_text(code)
    with uvicorn(site.root, "shop.main:app") as client:
        assert client.get("/notes").json() == []
        assert client.get("/health").json()["status"] == "ok"


def test_the_testing_guides_files_are_a_test_suite(guide: Site) -> None:
    for _, code in blocks("testing.md"):
        path = guide.root / code.partition("\n")[0].removeprefix("# ")
        path.parent.mkdir(exist_ok=True)
        path.write_text(code)
    words = ("-p", "no:cacheprovider", "-q")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=guide.root,
        env={name: value for name, value in os.environ.items() if "PYTEST" not in name},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 passed" in done.stdout
