"""The command line as a user types it, on SQLite files."""

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from dbwarden.cli.app import run

CONFIGURATION = """
from dbwarden import database_config

for name in ("primary", "analytics", "logging"):
    database_config(
        database_name=name,
        default=name == "primary",
        database_type="sqlite",
        database_url=f"sqlite:///{name}.db",
        migration_lock_timeout=0.2,
        lock_timeout=0.2,
        lock_retries=0,
    )
"""
USERS = """-- upgrade
CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT NOT NULL);

-- rollback
DROP TABLE users;
"""
ORDERS = """-- upgrade
CREATE TABLE orders (id INTEGER PRIMARY KEY);

-- rollback
DROP TABLE orders;
"""
EVENTS = USERS.replace("users", "events")


@dataclass
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Cli = Callable[..., Ran]


def write(root: Path, database: str, name: str, text: str) -> Path:
    folder = root / "migrations" / database
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{database}__{name}.sql"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "dbwarden.py").write_text(CONFIGURATION, encoding="utf-8")
    write(tmp_path, "primary", "0001_create_users", USERS)
    write(tmp_path, "primary", "0002_create_orders", ORDERS)
    write(tmp_path, "analytics", "0001_create_events", EVENTS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return tmp_path


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Cli:
    def call(*arguments: str) -> Ran:
        capsys.readouterr()
        try:
            code = run(arguments)
        except SystemExit as exited:
            code = int(exited.code or 0)
        out, err = capsys.readouterr()
        return Ran(code, out, err)

    return call


def states(ran: Ran) -> dict[str, str]:
    return {item["database"]: item["state"] for item in ran.json["databases"]}


def results(ran: Ran) -> dict[str, Any]:
    return {item["database"]: item["result"] for item in ran.json["databases"]}


def first_words(text: str) -> list[str]:
    return [line.split()[0] for line in text.splitlines() if line.strip()]


# -- migrating ------------------------------------------------------------------------------


def test_migrate_all_brings_every_database_to_its_newest_version(project: Path, cli: Cli) -> None:
    ran = cli("migrate", "--all")

    assert ran.code == 0
    lines = ran.out.splitlines()
    assert first_words(ran.out) == ["database", "primary", "analytics", "logging"]
    assert "migrated" in lines[1] and "0002" in lines[1] and "2 (0001, 0002)" in lines[1]
    assert "up to date" in lines[3]
    assert "primary: applied 0001" in ran.err


def test_without_d_the_default_database_is_meant(project: Path, cli: Cli) -> None:
    ran = cli("migrate", "--json")

    assert states(ran) == {"primary": "succeeded"}
    assert not (project / "analytics.db").exists()


def test_d_takes_names_and_patterns_and_may_be_repeated(project: Path, cli: Cli) -> None:
    assert states(cli("migrate", "-d", "a*", "-d", "logging", "--json")) == {
        "analytics": "succeeded",
        "logging": "succeeded",
    }


def test_a_second_migrate_has_nothing_to_do(project: Path, cli: Cli) -> None:
    cli("migrate", "--all")
    ran = cli("migrate", "--all", "--json")

    assert ran.code == 0
    assert [result["applied"] for result in results(ran).values()] == [[], [], []]


def test_to_and_count_say_how_far(project: Path, cli: Cli) -> None:
    assert results(cli("migrate", "--to", "1", "--json"))["primary"]["version"] == "0001"
    assert results(cli("migrate", "--count", "1", "--json"))["primary"]["version"] == "0002"


def test_a_dry_run_prints_the_sql_in_order_and_writes_nothing(project: Path, cli: Cli) -> None:
    ran = cli("migrate", "--dry-run")

    assert ran.code == 0
    assert ran.out.index("CREATE TABLE users") < ran.out.index("CREATE TABLE orders")
    assert "would apply 2" in ran.out
    assert not (project / "primary.db").exists()


def test_a_dry_run_of_a_rollback_prints_its_sql(project: Path, cli: Cli) -> None:
    cli("migrate")
    ran = cli("rollback", "--dry-run")

    assert "DROP TABLE orders" in ran.out
    assert results(cli("status", "--json"))["primary"]["version"] == "0002"


def test_rollback_takes_back_one_and_to_zero_everything(project: Path, cli: Cli) -> None:
    cli("migrate")

    assert results(cli("rollback", "--json"))["primary"]["version"] == "0001"
    ran = cli("rollback", "--to", "0", "--json")
    assert [item["key"] for item in results(ran)["primary"]["rolled_back"]] == ["0001"]
    assert results(ran)["primary"]["version"] is None
    assert results(cli("rollback", "--json"))["primary"]["rolled_back"] == []


def test_a_failing_migration_is_reported_with_its_place_and_the_rest_goes_on(
    project: Path, cli: Cli
) -> None:
    write(project, "primary", "0003_broken", "-- upgrade\nCREATE TABLE t (id INT);\n  SELEC 1;\n")
    ran = cli("migrate", "--all")

    assert ran.code == 1
    assert "failed" in ran.out.splitlines()[1]
    assert "migrated" in ran.out.splitlines()[2]
    assert "error: primary: migrations/primary/primary__0003_broken.sql:3:3: " in ran.err
    assert "| SELEC 1" in ran.err
    assert "2 of 3 databases done. For the rest:\n  dbwarden migrate -d primary" in ran.err
    assert results(cli("status", "--json"))["primary"]["version"] == "0002"


def test_fail_fast_starts_nothing_after_a_failure(project: Path, cli: Cli) -> None:
    write(project, "primary", "0003_broken", "-- upgrade\nSELEC 1;\n")
    ran = cli("migrate", "--all", "--fail-fast", "--concurrency", "1", "--json")

    assert ran.code == 1
    assert states(ran) == {
        "primary": "failed",
        "analytics": "not_started",
        "logging": "not_started",
    }
    assert ran.json["summary"] == {"failed": 1, "not_started": 2}


def test_nobody_follows_a_canary_that_failed(project: Path, cli: Cli) -> None:
    write(project, "analytics", "0002_broken", "-- upgrade\nSELEC 1;\n")
    ran = cli("migrate", "--all", "--canary", "analytics", "--json")

    assert states(ran) == {
        "primary": "not_started",
        "analytics": "failed",
        "logging": "not_started",
    }


def test_a_broken_file_stops_everything_before_anything_runs(project: Path, cli: Cli) -> None:
    write(project, "primary", "0003_no_upgrade", "-- rollback\nDROP TABLE x;\n")
    ran = cli("migrate")

    assert ran.code == 2
    assert "primary__0003_no_upgrade.sql:1" in ran.err
    assert not (project / "primary.db").exists()


def test_out_of_order_is_refused_unless_asked_for(project: Path, cli: Cli) -> None:
    (project / "migrations/primary/primary__0001_create_users.sql").rename(project / "later")
    cli("migrate")
    (project / "later").rename(project / "migrations/primary/primary__0001_create_users.sql")

    refused = cli("migrate")
    assert refused.code == 1
    assert "--out-of-order" in refused.err
    assert cli("migrate", "--out-of-order").code == 0


def test_baseline_marks_without_running(project: Path, cli: Cli) -> None:
    ran = cli("baseline", "--to", "0001", "--json")

    assert results(ran)["primary"]["marked"] == ["0001"]
    cli("migrate")
    rows = results(cli("history", "--json"))["primary"]["rows"]
    assert [row["key"] for row in rows] == ["0001", "0002"]
    assert cli("rollback", "--to", "0").code == 1  # users was never created here


def test_a_log_format_of_the_environment_that_is_none_is_told(
    project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DBWARDEN_LOG_FORMAT", "xml")
    ran = cli("status")
    assert ran.code == 2
    assert "DBWARDEN_LOG_FORMAT is 'xml'; it must be one of 'console', 'json'" in ran.err
    assert cli("status", "--log-format", "json").code == 0  # an option counts instead

    monkeypatch.setenv("DBWARDEN_LOG_FORMAT", "json")
    events = [json.loads(line)["event"] for line in cli("status").err.splitlines()]
    assert "status" in events


# -- looking --------------------------------------------------------------------------------


def test_check_exits_3_when_something_is_pending_and_0_when_clean(project: Path, cli: Cli) -> None:
    pending = cli("check", "--all")
    assert pending.code == 3
    assert "primary: 2 pending: 0001, 0002" in pending.err
    assert "next: Apply with: dbwarden migrate -d primary" in pending.err

    cli("migrate", "--all")
    assert cli("check", "--all").code == 0


def test_model_paths_that_lead_nowhere_are_reported_by_commands_that_need_no_models(
    project: Path, cli: Cli
) -> None:
    (project / "shop_models").mkdir()
    (project / "shop_models" / "logging.py").write_text("1 / 0\n", encoding="utf-8")
    with (project / "dbwarden.py").open("a", encoding="utf-8") as file:
        for name, module in (("right", "shop_models.logging"), ("wrong", "shop_models.loging")):
            file.write(
                f"database_config(database_name='{name}', database_type='sqlite', "
                f"database_url='sqlite:///{name}.db', model_paths=['{module}'])\n"
            )
    for command in ("migrate", "check"):
        done = cli(command, "--all")
        assert done.code == 0
        assert done.err.splitlines()[0] == (
            "warning: wrong: model_paths names shop_models.loging, but there is no such module; "
            "did you mean 'shop_models.logging'?"
        )


def test_looking_never_creates_a_database_or_a_ledger(project: Path, cli: Cli) -> None:
    for command in ("status", "check", "history", "health", "wait"):
        cli(command, "--all")

    assert sorted(path.name for path in project.glob("*.db*")) == []


def test_an_edited_migration_is_applied_all_the_same(project: Path, cli: Cli) -> None:
    cli("migrate")
    write(project, "primary", "0002_create_orders", ORDERS.replace("id", "number"))
    assert results(cli("status", "--json"))["primary"]["version"] == "0002"


def test_check_finds_a_changed_file_and_repair_accepts_it(project: Path, cli: Cli) -> None:
    cli("migrate")
    write(project, "primary", "0001_create_users", USERS.replace("email", "mail"))

    found = cli("check", "--json")
    assert found.code == 3
    assert results(found)["primary"]["findings"][0]["code"] == "changed"
    assert cli("migrate").code == 1

    shown = cli("repair", "--accept", "0001")
    assert "accept 0001 (create users) as its file is now" in shown.out
    assert "Nothing was changed" in shown.err
    assert cli("check").code == 3

    assert cli("repair", "--accept", "0001", "--yes").code == 0
    assert cli("check").code == 0


def test_repair_forgets_a_row_whose_file_is_gone(project: Path, cli: Cli) -> None:
    cli("migrate")
    (project / "migrations/primary/primary__0001_create_users.sql").unlink()
    assert "missing" in cli("check").out

    assert "missing: 0001" in cli("repair").out
    assert cli("repair", "--forget", "1", "--yes").code == 0
    assert cli("check").code == 0


def test_repair_refuses_what_is_not_so(project: Path, cli: Cli) -> None:
    cli("migrate")
    ran = cli("repair", "--accept", "0001", "--yes")

    assert ran.code == 2
    assert "0001 is not changed" in ran.err
    assert cli("repair", "--at", "0001", "--yes").code == 2


def test_a_database_that_is_ahead_is_fine_and_said(project: Path, cli: Cli) -> None:
    cli("migrate")
    (project / "migrations/primary/primary__0002_create_orders.sql").unlink()
    ran = cli("check")

    assert ran.code == 0
    assert "ahead of the files" in ran.out


def test_health_prints_the_json_of_the_endpoint(project: Path, cli: Cli) -> None:
    cli("migrate", "-d", "primary")
    ran = cli("health", "-d", "primary", "-d", "analytics")

    assert ran.code == 3
    assert ran.json == {
        "status": "degraded",
        "databases": [
            {
                "database": "primary",
                "status": "ok",
                "connected": True,
                "pending_migrations": 0,
                "lock_active": False,
                "error": None,
            },
            {
                "database": "analytics",
                "status": "degraded",
                "connected": True,
                "pending_migrations": 1,
                "lock_active": False,
                "error": None,
            },
        ],
    }


def test_health_of_a_database_that_cannot_be_read_is_an_error_and_exit_1(
    project: Path, cli: Cli
) -> None:
    (project / "primary.db").write_bytes(b"this is no database, only text" * 100)
    ran = cli("health")

    assert ran.code == 1
    assert ran.json["status"] == "error"
    assert str(project) not in ran.out


def test_history_tells_who_did_what_rollbacks_included(project: Path, cli: Cli) -> None:
    cli("migrate")
    cli("rollback")
    ran = cli("history")

    assert ran.code == 0
    assert "rolled back" in ran.out
    rows = results(cli("history", "--json"))["primary"]["rows"]
    assert [(row["key"], row["state"]) for row in rows] == [
        ("0001", "applied"),
        ("0002", "rolled_back"),
    ]
    assert rows[0]["started_at"].endswith("Z")

    newest = cli("history", "--limit", "1", "--json")
    assert [row["key"] for row in results(newest)["primary"]["rows"]] == ["0002"]
    assert results(newest)["primary"]["older"] == 1
    assert (
        "primary: 1 row; 1 older not shown (--limit N, --all-rows)"
        in cli("history", "--limit", "1").out
    )
    assert "not shown" not in cli("history", "--all-rows").out
    assert cli("history", "--limit", "0").code == 2


def test_a_rollback_that_stopped_half_way_goes_on_to_where_it_was_asked_for(
    project: Path, cli: Cli
) -> None:
    wrong = "DROP TABLE orders;\nVACUUM;\nDROP TABLE more_orders;"
    path = write(project, "primary", "0002_create_orders", ORDERS)
    path.write_text(ORDERS.replace("DROP TABLE orders;", wrong), encoding="utf-8")
    cli("migrate")
    assert cli("rollback", "--to", "0").code == 1
    path.write_text(path.read_text().replace("more_orders", "IF EXISTS x"), encoding="utf-8")

    ran = cli("rollback", "--to", "0")

    assert ran.code == 0
    assert "0002, 0001" in ran.out
    assert results(cli("status", "--json"))["primary"]["pending"] == ["0001", "0002"]


# -- what is in the way, and the command that clears it -------------------------------------


def test_the_command_that_is_named_for_two_files_of_one_number_works(
    project: Path, cli: Cli
) -> None:
    write(project, "primary", "0002_create_tags", ORDERS.replace("orders", "tags"))
    ran = cli("status")
    assert ran.code == 2
    _, _, command = ran.err.partition("this one with: dbwarden ")
    assert command.strip() == "renumber -d primary --move 0002_create_tags"
    moved = cli(*command.split())
    assert moved.code == 0
    assert "primary__0003_create_tags.sql" in moved.out
    assert cli("status").code == 0


def test_an_edited_migration_is_told_with_the_right_way_first(project: Path, cli: Cli) -> None:
    cli("migrate")
    path = project / "migrations" / "primary" / "primary__0001_create_users.sql"
    edited = path.read_text().replace("email TEXT NOT NULL", "email TEXT NOT NULL, age INTEGER")
    path.write_text(edited)
    for command in (("migrate",), ("check",)):
        said = " ".join(_both(cli(*command)).split())
        undo, accept = said.index("Undo the edit"), said.index("dbwarden repair -d primary")
        assert undo < said.index("dbwarden new -d primary") < accept
        assert said.index("the edited SQL will not run") < accept
    assert cli("repair", "--accept", "0001", "--yes").code == 0
    with closing(sqlite3.connect(project / "primary.db")) as raw:
        assert [row[1] for row in raw.execute("PRAGMA table_info(users)")] == ["id", "email"]


def _both(ran: Ran) -> str:
    return ran.out + ran.err


def test_files_that_are_gone_are_counted_as_people_do(project: Path, cli: Cli) -> None:
    cli("migrate", "--to", "1")
    for path in (project / "migrations" / "primary").iterdir():
        path.unlink()
    assert "1 migration is applied (0001), but the migrations folder has no files" in (
        cli("rollback").err
    )


# -- beginning ------------------------------------------------------------------------------


def test_init_and_new_lead_to_a_project_that_migrates(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    begun = cli("init")
    assert begun.code == 0
    # Both ways to go on: SQL by hand, and from models.
    following, _, other = begun.out.partition("\nNext:\n")[2].partition("\n\n")
    assert other == "Does the database already have tables? Start with: dbwarden baseline\n"
    commands = [line.partition("#")[0].split() for line in following.splitlines()]
    assert [words[:2] for words in commands] == [
        ["dbwarden", "new"],
        ["dbwarden", "make-migrations"],
        ["dbwarden", "migrate"],
    ]
    ran = cli("make-migrations", "-m", "create users")
    assert ran.code == 2
    assert "its model_paths name no module" in ran.err
    assert "model_paths=['app.models']" in ran.err

    made = cli("new", "-m", "Create users!", "--json")
    path = Path(made.json["path"])
    assert path.name == "primary__0001_create_users.sql"
    path.write_text(USERS, encoding="utf-8")
    assert cli("migrate").code == 0
    assert (tmp_path / "app.db").exists()


@pytest.mark.timeout(300)  # mypy reads its first project without a cache
def test_a_fresh_project_passes_strict_type_checks_and_runs(tmp_path: Path, cli: Cli) -> None:
    """dbwarden.py has the name of the package, which a type checker takes for the file."""
    assert cli("init", "--folder", str(tmp_path)).code == 0
    (tmp_path / "app.py").write_text(
        "from dbwarden.config import database_config, tenant_databases\n"
        "reveal_type(database_config)\nreveal_type(tenant_databases)\n"
    )
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "dbwarden.py", "app.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert "TypedDict(dbwarden.config.registry.DatabaseOptions" in checked.stdout
    assert 'Revealed type is "Any"' not in checked.stdout
    ran = cli("databases", "--config", str(tmp_path / "dbwarden.py"), "--json")
    assert [item["database_name"] for item in ran.json["databases"]] == ["primary"]


def test_init_never_overwrites(project: Path, cli: Cli) -> None:
    ran = cli("init")

    assert ran.code == 2
    assert "exists already" in ran.err
    assert (project / "dbwarden.py").read_text(encoding="utf-8") == CONFIGURATION


@pytest.mark.parametrize("name", ["my db", 'a"b', "../outside", "all"])
def test_init_takes_no_name_that_a_configuration_would_refuse(
    tmp_path: Path, cli: Cli, name: str
) -> None:
    ran = cli("init", "--folder", str(tmp_path / "new"), "--name", name)

    assert ran.code == 2
    assert repr(name) in ran.err
    assert list(tmp_path.iterdir()) == []


def test_init_writes_a_url_that_python_reads_as_it_was(tmp_path: Path, cli: Cli) -> None:
    url = 'sqlite:///it\'s "here" {x}.db'
    assert cli("init", "--folder", str(tmp_path), "--url", url).code == 0
    ran = cli("databases", "--config", str(tmp_path / "dbwarden.py"), "--json")
    assert ran.code == 0, ran.err
    assert unquote(ran.json["databases"][0]["database_url"]).endswith('it\'s "here" {x}.db')


def test_init_writes_no_password_down(tmp_path: Path, cli: Cli) -> None:
    ran = cli("init", "--folder", str(tmp_path), "--url", "postgresql://me:hunter2@db/app")

    assert ran.code == 2
    assert "hunter2" not in ran.out + ran.err
    assert not (tmp_path / "dbwarden.py").exists()


def test_an_empty_new_migration_is_refused_by_migrate(project: Path, cli: Cli) -> None:
    cli("new", "-d", "logging", "-m", "later")
    ran = cli("migrate", "-d", "logging")

    assert ran.code == 2
    assert "logging__0001_later.sql" in ran.err


def test_databases_settings_and_version_show_the_configuration(project: Path, cli: Cli) -> None:
    assert first_words(cli("databases").out) == ["database", "primary", "analytics", "logging"]
    assert [item["database_name"] for item in cli("databases", "--json").json["databases"]] == [
        "primary",
        "analytics",
        "logging",
    ]
    assert cli("settings", "--json").json["databases"][0]["connect_timeout"] == 5.0
    assert "migration_lock_timeout" in cli("settings").out
    assert "asyncpg" in cli("version").out
    assert cli("version", "--json").json["dbwarden"] == cli("--version").out.strip()


# -- bad input ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("migrat",), "there is no command 'migrat'; did you mean 'migrate'?"),
        (("upgrade",), "there is no command 'upgrade'; use 'migrate'"),
        (("--json", "status"), "the option --json comes before the command"),
        (("migrate", "head"), "migrate does not accept 'head'"),
        (("new", "-m"), "-m requires an argument"),
        (("migrate", "--bogus"), "--bogus"),
        (("migrate", "--timeout", "soon"), "--timeout"),
        (("migrate", "--timeout", "-1"), "--timeout takes seconds"),
        (("migrate", "--concurrency", "0"), "--concurrency takes a number of at least 1"),
        (("migrate", "-d", "primry"), "primry"),
        (("migrate", "-d", "tenant_*"), "tenant_*"),
        (("migrate", "--all", "-d", "primary"), "exclude each other"),
        (("migrate", "--to", "0099"), "0099"),
        (("migrate", "--config", "nowhere.py"), "nowhere.py"),
        (("new", "-d", "primary"), "--message"),
        (("repair", "--at", "0001"), "KEY=STEP"),
    ],
)
def test_bad_input_is_a_sentence_and_exit_2(
    project: Path, cli: Cli, arguments: Sequence[str], said: str
) -> None:
    ran = cli(*arguments)

    assert ran.code == 2
    assert said in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize("arguments", [("migrat",), ("migrate", "--bogus"), ("new",), ("x", "y")])
def test_a_command_line_that_cannot_be_read_is_a_json_document_too(
    project: Path, cli: Cli, arguments: Sequence[str]
) -> None:
    ran = cli(*arguments, "--json")

    assert ran.code == ran.json["exit_code"] == 2
    assert ran.json["command"] == arguments[0]
    assert ran.json["error"]["message"] in ran.err


def test_help_is_a_command_too(cli: Cli) -> None:
    assert cli("help", "migrate").out == cli("migrate", "--help").out


def test_the_exit_code_in_a_document_is_that_of_the_process(project: Path, cli: Cli) -> None:
    write(project, "primary", "0003_pending", "-- upgrade\nSELECT 1;\n")
    for command in ("status", "check", "history", "lock-status", "unlock"):
        ran = cli(command, "--json")
        assert ran.json["exit_code"] == ran.code, command


def test_what_the_configuration_prints_goes_to_stderr(project: Path, cli: Cli) -> None:
    file = project / "dbwarden.py"
    file.write_text("print('loading')\n" + file.read_text())
    ran = cli("status", "--json")

    assert ran.json["exit_code"] == 0
    assert ran.err.startswith("loading\n")


def test_a_configuration_that_exits_is_an_error_with_its_line(project: Path, cli: Cli) -> None:
    (project / "dbwarden.py").write_text("import sys\n\nsys.exit('DATABASE_URL is not set')\n")
    ran = cli("status")

    assert ran.code == 2
    assert "dbwarden.py:3: the configuration file fails: SystemExit: DATABASE_URL" in ran.err


def test_two_empty_migrations_can_be_made_in_a_row(project: Path, cli: Cli) -> None:
    assert cli("new", "-m", "one").code == 0
    assert cli("new", "-m", "two", "--json").json["version"] == "0004"
    assert cli("make-migrations", "-m", "three", "--empty").code == 0


def test_a_replica_that_is_not_there_is_made_by_migrating_its_primary(
    project: Path, cli: Cli
) -> None:
    with (project / "dbwarden.py").open("a") as file:
        file.write(
            'database_config(database_name="replica", replica_of="primary", '
            'database_url="sqlite:///file:primary.db?mode=ro&uri=true")\n'
        )
    assert "Create it with: dbwarden migrate -d primary\n" in cli("check", "-d", "replica").err


def test_an_sqlite_file_that_may_only_be_read_is_no_server(project: Path, cli: Cli) -> None:
    (project / "primary.db").touch()
    file = project / "dbwarden.py"
    file.write_text(file.read_text().replace("{name}.db", "file:{name}.db?mode=ro&uri=true"))
    ran = cli("migrate")

    assert ran.code == 1
    assert "this user may not write its file, or its URL says so" in ran.err
    assert "replica" not in ran.err


def test_a_report_that_could_not_be_written_is_no_reason_to_begin(project: Path, cli: Cli) -> None:
    ran = cli("migrate", "--report", "nowhere/report.json")

    assert ran.code == 2
    assert "there is no folder nowhere" in ran.err
    assert not (project / "primary.db").exists()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_a_report_that_is_lost_does_not_hide_what_was_done(project: Path, cli: Cli) -> None:
    ran = cli("migrate", "--report", "/dev/full")

    assert ran.code == 1
    assert "the report cannot be written to /dev/full" in ran.err
    assert "migrated" in ran.out


def test_a_ledger_that_makes_no_sense_is_one_of_a_database(project: Path, cli: Cli) -> None:
    cli("migrate")
    with closing(sqlite3.connect("primary.db", isolation_level=None)) as database:
        database.execute("UPDATE dbwarden_ledger SET state = 'novel'")
    ran = cli("status")

    assert ran.code == 1
    assert "error: primary: row 1 of dbwarden_ledger is invalid" in ran.err


def test_who_migrates_what_is_there_already_is_told_of_baseline(project: Path, cli: Cli) -> None:
    with closing(sqlite3.connect("primary.db", isolation_level=None)) as database:
        database.execute("CREATE TABLE users (id INTEGER PRIMARY KEY)")
    ran = cli("migrate")

    assert ran.code == 1
    assert "dbwarden baseline -d primary --to VERSION" in ran.err


def test_what_nobody_foresaw_is_an_error_with_its_traceback_and_no_secret(
    project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise LookupError("postgresql://app:secret@localhost/app")

    monkeypatch.setattr("dbwarden.cli.commands.look.report", broken)
    ran = cli("status", "--json")

    assert (ran.code, ran.json["error"]["message"]) == (
        1,
        "LookupError: postgresql://app:***@localhost/app",
    )
    assert "Please report it" in ran.err
    assert "test_cli.py" in ran.err
    assert "secret" not in ran.out + ran.err


def test_what_was_written_before_a_failure_is_told(project: Path, cli: Cli) -> None:
    file = project / "dbwarden.py"
    models = 'model_paths=[f"{name}_models.py"] if name != "logging" else []'
    text = file.read_text()
    file.write_text(
        text.replace('default=name == "primary"', f'default=name == "primary", {models}')
    )
    for name in ("primary", "analytics"):
        (project / f"{name}_models.py").write_text(
            "from sqlalchemy import Column, Integer, MetaData, Table\n"
            f'THINGS = Table("{name}_things", MetaData(), Column("id", Integer))\n'
        )
        for path in (project / "migrations" / name).glob("*.sql"):
            path.unlink()
    (project / "analytics_models.py").write_text("import nowhere\n")
    ran = cli("make-migrations", "--all", "-m", "things", "--json")
    assert ran.code == 2
    assert ran.json["error"]["database"] == "analytics"
    (made,) = ran.json["databases"]
    assert (made["database"], Path(made["path"]).name) == (
        "primary",
        "primary__0001_things.sql",
    )
    again = cli("make-migrations", "--all", "-m", "more", "--rename", "nothing:things")
    assert "primary: --rename 'nothing:things': there is no nothing" in again.err
    assert "next: Pass this option with -d DATABASE; it does not apply to primary.\n" in again.err


def test_all_leaves_out_databases_that_have_no_models(
    project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = project / "dbwarden.py"
    file.write_text(
        file.read_text().replace(
            'default=name == "primary"',
            'default=name == "primary", model_paths=["things.py"] if name == "logging" else []',
        )
    )
    (project / "things.py").write_text(
        "from sqlalchemy import Column, Integer, MetaData, Table\n"
        'THINGS = Table("things", MetaData(), Column("id", Integer, primary_key=True))\n'
    )
    ran = cli("make-migrations", "--all", "-m", "things")

    assert ran.code == 0
    assert "Wrote migrations/logging/logging__0001_things.sql" in ran.out
    assert ran.err == "".join(
        f"{name}: skipped because it has no model_paths and no schema_paths.\n"
        for name in ("primary", "analytics")
    )
    checked = cli("check", "--models", "--all", "--json")
    assert (checked.code, states(checked)) == (0, {"logging": "succeeded"})
    assert "name no module" in cli("make-migrations", "-m", "x").err


def test_a_password_in_an_error_of_the_models_is_not_shown(
    project: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = project / "dbwarden.py"
    file.write_text(
        file.read_text().replace("default=name", 'model_paths=["broken.py"], default=name')
    )
    (project / "broken.py").write_text("raise OSError('postgresql://app:hunter2@localhost/app')\n")
    ran = cli("check", "--models")

    assert "OSError: postgresql://app:***@localhost/app" in ran.err
    assert "hunter2" not in ran.err


def test_each_of_several_databases_gets_its_baseline(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "dbwarden.py").write_text(CONFIGURATION)
    for name in ("primary", "analytics", "logging"):
        with closing(sqlite3.connect(f"{name}.db", isolation_level=None)) as database:
            database.execute(f"CREATE TABLE {name}_things (id INTEGER PRIMARY KEY)")
    assert "drop table primary_things" in cli("diff").out
    assert set(states(cli("baseline", "--all", "--json")).values()) == {"succeeded"}
    assert cli("check", "--all").code == 0
    assert "dbwarden baseline -d primary --to 0001 (or up to" in cli("baseline").err
    shares = [cli("status", "--shard", f"{share}/2").err for share in (1, 2)]
    assert sorted(shares) == ["", "There is no database in this share.\n"]


def test_init_takes_whatever_kind_the_environment_names(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DATABASE_URL", "postgresql://app@localhost/app")
    assert cli("init").code == 0
    assert cli("settings", "--json").json["databases"][0]["database_type"] == "postgresql"


def test_a_configuration_error_with_json_is_a_json_document(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".git").mkdir()
    ran = cli("status", "--json")

    assert ran.code == 2
    assert ran.json["error"]["type"] == "ConfigurationNotFound"
    assert ran.json["exit_code"] == 2


def test_logs_go_to_stderr_as_json_while_stdout_stays_one_document(project: Path, cli: Cli) -> None:
    ran = cli("migrate", "--all", "--json", "--log-format", "json")

    assert states(ran) == dict.fromkeys(("primary", "analytics", "logging"), "succeeded")
    events = [json.loads(line) for line in ran.err.splitlines()]
    assert {event["database"] for event in events} == {"primary", "analytics", "logging"}
    applied = [e for e in events if e["event"] == "migration_applied"]
    assert [e["version"] for e in applied if e["database"] == "primary"] == ["0001", "0002"]
    assert all(e["operation"] == "migrate" for e in applied)
    ended = [e for e in events if e["event"] == "migrate"]
    assert all(e["outcome"] == "succeeded" and e["duration_ms"] > 0 for e in ended)


@pytest.mark.parametrize("command", [("migrate",), ("status",), ("repair", "--forget", "0001")])
def test_all_lines_of_one_run_share_an_id_and_tell_when_each_database_began_and_ended(
    project: Path, cli: Cli, command: Sequence[str]
) -> None:
    for name in ("analytics", "logging"):
        write(project, name, "0001_first", USERS)
    (project / "migrations" / "analytics" / "analytics__0001_create_events.sql").unlink()
    cli("migrate", "--all")
    runs = set()
    for _ in range(2):
        ran = cli(*command, "--all", "--json", "--log-format", "json")
        events = [json.loads(line) for line in ran.err.splitlines() if line.startswith("{")]
        started = [e["database"] for e in events if e["event"] == "started"]
        ended = [e["database"] for e in events if e["event"] == command[0] and e["outcome"]]
        assert sorted(started) == sorted(ended) == ["analytics", "logging", "primary"]
        (run,) = {e["run"] for e in events}
        runs.add(run)
    assert len(runs) == 2
    console = cli(*command, "--all", "--log-level", "info").err
    assert console.count("run=") >= 6


def test_a_failure_is_logged_as_the_end_of_its_operation(project: Path, cli: Cli) -> None:
    write(project, "primary", "0001_create_users", "-- upgrade\nSELECT nonsense;\n")
    ran = cli("migrate", "--json", "--log-format", "json")
    events = [json.loads(line) for line in ran.err.splitlines() if line.startswith("{")]
    first, last = events[0], events[-1]
    assert (first["event"], first["operation"]) == ("started", "migrate")
    assert (last["event"], last["outcome"], last["level"]) == ("migrate", "failed", "error")
    assert last["duration_ms"] > 0
    assert first["run"] == last["run"]


# -- what is loaded -------------------------------------------------------------------------

LOADED = "import sys\nfrom dbwarden.cli.app import run\ntry:\n    run({arguments!r})\nexcept SystemExit: pass\nprint(*sys.modules, file=sys.stderr)"  # noqa: E501


def loaded_by(*arguments: str) -> set[str]:
    code = LOADED.format(arguments=list(arguments))
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return set(ran.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("arguments", [("--help",), ("--version",)])
def test_help_and_version_load_nothing_heavy(project: Path, arguments: Sequence[str]) -> None:
    heavy = {"sqlalchemy", "fastapi", "asyncpg", "structlog", "asyncio", "anyio"}
    assert not heavy & loaded_by(*arguments)


@pytest.mark.parametrize("command", ["status", "check", "migrate"])
def test_looking_and_migrating_never_load_sqlalchemy_or_fastapi(
    project: Path, command: str
) -> None:
    assert not {"sqlalchemy", "fastapi", "structlog", "rich.table"} & loaded_by(command, "--all")


def test_importing_dbwarden_loads_nothing(project: Path) -> None:
    code = "import sys, typing; old = set(sys.modules); import dbwarden; print(*set(sys.modules) - old)"  # noqa: E501
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert [name for name in ran.stdout.split() if name.startswith("dbwarden")] == ["dbwarden"]


# -- fleets ---------------------------------------------------------------------------------

NEEDS_USERS = "-- requires: primary@0001\n\n" + EVENTS.replace("events", "visits")


def versions(ran: Ran) -> dict[str, str | None]:
    return {name: result["version"] for name, result in results(ran).items()}


def test_a_migration_waits_for_what_it_requires_in_another_database(
    project: Path, cli: Cli
) -> None:
    write(project, "analytics", "0002_visits", NEEDS_USERS)
    ran = cli("migrate", "--all", "--json", "--log-format", "json")

    assert ran.code == 0
    events = [json.loads(line) for line in ran.err.splitlines()]
    order = [f"{e['database']}@{e['version']}" for e in events if e["event"] == "migration_applied"]
    assert order.index("primary@0001") < order.index("analytics@0002")
    assert [item["key"] for item in results(ran)["analytics"]["applied"]] == ["0001", "0002"]


def test_what_requires_a_database_that_failed_is_not_started_and_says_why(
    project: Path, cli: Cli
) -> None:
    write(project, "primary", "0001_create_users", "-- upgrade\nSELEC 1;\n")
    write(project, "analytics", "0002_visits", NEEDS_USERS)
    ran = cli("migrate", "--all", "--json")

    assert ran.code == 1
    assert states(ran) == {
        "primary": "failed",
        "analytics": "not_started",
        "logging": "succeeded",
    }
    assert "requires primary@0001, which is not applied" in ran.out
    assert [item["key"] for item in results(ran)["analytics"]["applied"]] == ["0001"]


def test_a_requirement_is_met_by_a_ledger_too(project: Path, cli: Cli) -> None:
    write(project, "analytics", "0002_visits", NEEDS_USERS)

    alone = cli("migrate", "-d", "analytics", "--json")
    assert states(alone) == {"analytics": "not_started"}
    cli("migrate", "-d", "primary")
    write(project, "primary", "0003_broken", "-- upgrade\nSELEC 1;\n")
    both = cli("migrate", "--all", "--json")
    assert states(both)["primary"] == "failed"
    assert versions(cli("status", "-d", "analytics", "--json")) == {"analytics": "0002"}


def test_an_unknown_requirement_stops_everything_before_it_runs(project: Path, cli: Cli) -> None:
    write(project, "analytics", "0002_visits", NEEDS_USERS.replace("0001", "0099"))
    ran = cli("migrate", "--all")

    assert ran.code == 2
    assert "analytics__0002_visits.sql" in ran.err
    assert "primary has no such migration" in ran.err
    assert not (project / "primary.db").exists()


def test_shards_together_are_the_whole_fleet(project: Path, cli: Cli) -> None:
    ran = [cli("status", "--all", "--shard", f"{i}/2", "--json") for i in (1, 2)]

    assert sorted(name for one in ran for name in states(one)) == [
        "analytics",
        "logging",
        "primary",
    ]


def test_the_report_holds_every_outcome(project: Path, cli: Cli) -> None:
    ran = cli("migrate", "--all", "--report", "report.json")

    assert ran.code == 0
    report = json.loads((project / "report.json").read_text(encoding="utf-8"))
    assert [item["state"] for item in report["databases"]] == ["succeeded"] * 3
    assert cli("migrate", "--report", "no/such/folder.json").code == 2


def test_lock_status_and_unlock_of_a_free_database(project: Path, cli: Cli) -> None:
    cli("migrate")

    assert "free" in cli("lock-status").out
    assert cli("unlock").code == 0
    assert cli("unlock", "--force").code == 0


def test_a_replica_is_left_out_by_all_and_refused_by_name(project: Path, cli: Cli) -> None:
    replica = (
        '\ndatabase_config(database_name="copy", database_type="sqlite", '
        'database_url="sqlite:///copy.db", replica_of="primary")\n'
    )
    (project / "dbwarden.py").write_text(CONFIGURATION + replica, encoding="utf-8")

    assert "copy" not in states(cli("migrate", "--all", "--json"))
    ran = cli("migrate", "-d", "copy")
    assert ran.code == 2
    assert "replica of primary" in ran.err
