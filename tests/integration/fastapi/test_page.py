"""The status page: its data, and its display in a real browser."""

import shutil
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from fastapi import FastAPI, Request

from dbwarden.fastapi import DBWardenStatusPage, migration_context
from tests.integration.fastapi.conftest import Running, Serve, Site

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run "
    "--disable-background-networking --disable-component-update --disable-sync"
)


def anyone(request: Request) -> bool:
    """Guards the page, so that it shows SQL and causes, and lets every request pass."""
    return True


def page_app(**options: Any) -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with migration_context(mode="none"):
            yield

    app = FastAPI(lifespan=lifespan)
    app.include_router(DBWardenStatusPage(**{"refresh": 0.2, **options}), prefix="/dbwarden")
    return app


def test_the_page_is_one_document_without_external_resources(three: Site, serve: Serve) -> None:
    with serve(page_app()) as client:
        for path in ("/dbwarden", "/dbwarden/"):
            answer = client.get(path, follow_redirects=False)
            assert answer.status_code == 200
            assert "http://" not in answer.text.replace("http://www.w3.org/2000/svg", "")
            assert "https://" not in answer.text
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


def test_the_pages_data_lists_each_database(three: Site, serve: Serve) -> None:
    three.migration("analytics", "0002", "CREATE TABLE extra (id integer);")
    with serve(page_app(authorize=anyone)) as client:
        data = client.get("/dbwarden/data").json()
        assert data["counts"] == {"ok": 2, "degraded": 1, "error": 0}
        found = {each["database"]: each for each in data["databases"]}
        assert found["primary"]["version"] == "0001"
        assert found["analytics"]["pending"] == ["0002"]
        assert len(found["primary"]["latencies"]) == 1
        sql = client.get("/dbwarden/pending/analytics").json()
        assert sql["pending"][0]["sql"] == "CREATE TABLE extra (id integer);"
        assert client.get("/dbwarden/pending/nobody").status_code == 404


def test_the_page_names_the_application_and_says_what_to_do(three: Site, serve: Serve) -> None:
    three.migration("analytics", "0002", "CREATE TABLE extra (id integer);")
    with serve(page_app()) as client:
        data = client.get("/dbwarden/data").json()
        assert data["application"] is None  # it has only the name of the framework
        steps = {each["database"]: each["next_steps"] for each in data["databases"]}
        assert steps["analytics"] == ["Apply with: dbwarden migrate -d analytics"]
        assert steps["primary"] == []
    with serve(page_app(title="Shop")) as client:
        assert client.get("/dbwarden/data").json()["application"] == "Shop"


def test_the_tables_of_a_database_are_drawn_behind_authorize(three: Site, serve: Serve) -> None:
    with serve(page_app(authorize=anyone, title="Shop")) as client:
        answer = client.get("/dbwarden/schema/primary")
        assert (answer.status_code, answer.text.count("<svg")) == (200, 1)
        assert "<title>Tables of primary, Shop</title>" in answer.text
        assert "dbwarden_ledger" not in answer.text
        assert "script-src" not in answer.headers["Content-Security-Policy"]
        assert client.get("/dbwarden/schema/nobody").status_code == 404
        three.add("gone", "postgresql://ada:hunter2@127.0.0.1:1/secret_db")
    with serve(page_app(authorize=anyone)) as client:
        answer = client.get("/dbwarden/schema/gone")
        assert (answer.status_code, answer.json()) == (503, {"detail": "cannot connect"})
    with serve(page_app()) as client:
        assert client.get("/dbwarden/schema/primary").status_code == 403


def test_unauthorized_requests_see_nothing(three: Site, serve: Serve) -> None:
    def authorize(request: Request) -> bool:
        return request.headers.get("X-Token") == "sesame"

    with serve(page_app(authorize=authorize)) as client:
        for path in ("/dbwarden", "/dbwarden/data", "/dbwarden/pending/primary"):
            assert client.get(path).status_code == 403
            assert client.get(path, headers={"X-Token": "sesame"}).status_code == 200


def test_causes_are_shown_only_behind_authorize(site: Site, serve: Serve) -> None:
    site.add("gone", "postgresql://ada:hunter2@127.0.0.1:1/secret_db", default=True)
    with serve(page_app()) as client:
        assert "127.0.0.1" not in client.get("/dbwarden/data").text
    with serve(page_app(authorize=anyone)) as client:
        told = client.get("/dbwarden/data").text
        assert "127.0.0.1" in told and "hunter2" not in told


def test_a_public_page_hides_sql_and_the_lock_holder(
    site: Site, serve: Serve, postgres_url: str
) -> None:
    site.add("primary", postgres_url, default=True)
    site.migration("primary", "0001", "SELECT pg_sleep(60) WHERE 'sesame' = 'sesame';")
    command = [sys.executable, "-m", "dbwarden", "migrate"]
    open_page, guarded = page_app(), page_app(authorize=anyone)
    with subprocess.Popen(command, cwd=site.root, stderr=subprocess.DEVNULL) as migrator:
        try:
            with serve(guarded) as client:
                while (
                    not (found := client.get("/dbwarden/data").json()["databases"][0])[
                        "lock_active"
                    ]
                    or "sesame" not in found["lock_holder"]
                ):
                    assert migrator.poll() is None
                assert "sesame" in client.get("/dbwarden/pending/primary").text
            with serve(open_page) as client:
                answer = client.get("/dbwarden/data")
                (found,) = answer.json()["databases"]
                assert (found["lock_active"], found["lock_holder"]) == (True, None)
                assert found["pending"] == ["0001"] and found["server_version"] is None
                for secret in ("sesame", "pg_sleep", socket.gethostname(), str(migrator.pid)):
                    assert secret not in answer.text
                assert client.get("/dbwarden/pending/primary").status_code == 403
        finally:
            migrator.terminate()


def test_a_project_that_cannot_be_loaded_is_reported_without_its_text(
    site: Site, serve: Serve
) -> None:
    (site.root / "dbwarden.py").write_text("raise RuntimeError('secret')")
    app = FastAPI()
    app.include_router(DBWardenStatusPage(), prefix="/dbwarden")
    with serve(app) as client:
        answer = client.get("/dbwarden/data")
        assert answer.status_code == 503
        assert "secret" not in answer.text


# -- in a browser -------------------------------------------------------------------------------


@pytest.fixture
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("no chromium is installed here (CI installs Debian's)")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS.split())
        try:
            yield made
        finally:
            made.close()


@pytest.fixture
def broken(three: Site) -> Any:
    """Three databases: one well, one with a pending migration, one that is down."""
    three.lines = three.lines[:3]
    three.add("logging", "postgresql://127.0.0.1:1/logs")
    three.migration("analytics", "0002", "CREATE TABLE extra (id integer); -- <b>&amp;</b>")
    return three


def opened(browser: Any, url: str, **options: Any) -> Any:
    page = browser.new_page(**options)
    page.set_default_timeout(15_000)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda said: problems.append(said.text) if said.type == "error" else None)
    page.goto(url)
    page.wait_for_selector("li[data-database]")
    page.problems = problems
    return page


def test_the_page_shows_states_and_unfolds_pending_sql_with_the_keyboard(
    broken: Any, running: Callable[..., Running], browser: Any
) -> None:
    with running(page_app(authorize=anyone)) as server:
        page = opened(browser, server.url + "/dbwarden")
        names = page.eval_on_selector_all("li", "items => items.map(item => item.dataset.database)")
        assert names == ["logging", "analytics", "primary"]
        texts = page.eval_on_selector_all(".badge", "items => items.map(i => i.textContent)")
        assert [text.split()[1] for text in texts] == ["error", "degraded", "ok"]
        assert page.inner_text("li[data-database=logging] .who") == "logging cannot connect"
        page.focus("li[data-database=analytics] summary")
        page.keyboard.press("Enter")
        page.wait_for_selector("li[data-database=analytics] pre")
        sql = page.inner_text("li[data-database=analytics] pre")
        assert sql == "CREATE TABLE extra (id integer); -- <b>&amp;</b>"
        assert page.inner_text("#summary") == "3 databases: 1 unavailable, 1 degraded"
        step = page.inner_text("li[data-database=analytics] .why")
        assert step == "Apply with: dbwarden migrate -d analytics"
        page.click("li[data-database=analytics] a")
        page.wait_for_selector("svg .table")
        assert page.problems == []


def test_the_page_refreshes_itself_and_keeps_what_is_open(
    broken: Any, running: Callable[..., Running], browser: Any
) -> None:
    with running(page_app()) as server:
        page = opened(browser, server.url + "/dbwarden/")
        page.click("li[data-database=primary] summary")
        (broken.root / "migrations" / "analytics" / "analytics__0002_step.sql").unlink()
        page.wait_for_selector("li[data-database=analytics] .badge.ok")
        assert page.get_attribute("li[data-database=primary] details", "open") is not None
        assert page.problems == []


@pytest.mark.long
def test_many_databases_are_filtered_by_state_and_name(
    three: Site, running: Callable[..., Running], browser: Any
) -> None:
    for number in range(60):
        folder = "" if number % 10 else "gone/"
        three.add(f"tenant_{number}", f"sqlite:///{folder}tenant_{number}.db")
    with running(page_app(refresh=5)) as server:
        page = opened(browser, server.url + "/dbwarden")
        page.click("#states button:has-text('error')")
        assert page.locator("li:visible").count() == 6
        page.click("#states button:has-text('All')")
        page.fill("#filter", "tenant_5")
        assert page.locator("li:visible").count() == 11
        assert "11 of 63" in page.inner_text("#summary")


CONTRAST = """() => {
  const channel = (v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const read = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => 0.2126*channel(r) + 0.7152*channel(g) + 0.0722*channel(b);
  const behind = (element) => {
    for (; element; element = element.parentElement) {
      const found = read(getComputedStyle(element).backgroundColor);
      if (found.length < 4 || found[3] > 0) return found;
    }
    return [255, 255, 255];
  };
  const bad = [];
  const hint = document.querySelector("#filter");
  const back = getComputedStyle(hint).backgroundColor;
  const faint = getComputedStyle(hint, "::placeholder").color;
  const shades = [back, faint].map((text) => light(read(text)));
  if ((Math.max(...shades) + 0.05) / (Math.min(...shades) + 0.05) < 4.5) bad.push("placeholder");
  for (const element of document.querySelectorAll("main *")) {
    const own = [...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || !element.offsetParent) continue;
    const pair = [light(read(getComputedStyle(element).color)), light(behind(element))];
    const ratio = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (ratio < 4.5) bad.push(element.className + " " + element.textContent + " " + ratio);
  }
  return bad;
}"""


@pytest.mark.long
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone_and_has_contrast(
    broken: Any, running: Callable[..., Running], browser: Any, scheme: str
) -> None:
    with running(page_app(authorize=anyone)) as server:
        page = opened(
            browser,
            server.url + "/dbwarden",
            viewport={"width": 360, "height": 740},
            color_scheme=scheme,
        )
        page.click("li[data-database=analytics] summary")
        page.wait_for_selector("pre")
        wide = page.evaluate("document.documentElement.scrollWidth > innerWidth")
        assert not wide
        assert page.evaluate(CONTRAST) == []


def test_a_stopping_application_is_shown_on_the_page(
    broken: Any, running: Callable[..., Running], browser: Any
) -> None:
    server = running(page_app())
    with server:
        page = opened(browser, server.url + "/dbwarden")
    page.wait_for_selector("#notice:visible")
    assert "cannot be asked" in page.inner_text("#notice")
