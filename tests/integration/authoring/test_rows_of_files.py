"""verify reports the effect of migrations on rows, on PostgreSQL and SQLite."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.postgresql.scratch.server import EmbeddedServer
from dbwarden.operations.verify import Verified, VerifyResult, verify
from dbwarden.types import DatabaseName
from tests.integration.authoring.conftest import Project

KINDS = ("postgresql", "sqlite")

USERS = """
-- upgrade
CREATE TABLE users (
    id integer PRIMARY KEY,
    email varchar(50),
    amount numeric(10, 2)
);

-- rollback
DROP TABLE users;
"""


@dataclass(frozen=True, kw_only=True)
class Files:
    """Hand-written migrations, and where they are tried."""

    config: DatabaseConfig

    def write(self, *texts: str) -> None:
        self.config.migrations_dir.mkdir(parents=True, exist_ok=True)
        for number, text in enumerate(texts, start=1):
            path = self.config.migrations_dir / f"app__{number:04d}_by_hand.sql"
            path.write_text(text.lstrip("\n"), encoding="utf-8")

    async def verified(self, *texts: str) -> VerifyResult:
        self.write(*texts)
        return await verify(self.config)

    async def last(self, *texts: str) -> Verified:
        return (await self.verified(USERS, *texts)).migrations[-1]


@pytest.fixture
def files_of(tmp_path: Path, postgres_server: EmbeddedServer) -> Callable[[str], Files]:
    def made(kind: str) -> Files:
        url = postgres_server.url("postgres")
        postgres = {"database_url": url, "scratch": url}
        config = DatabaseConfig(
            database_name=DatabaseName("app"),
            database_type=kind,  # type: ignore[arg-type]  # one of KINDS
            root=tmp_path,
            migrations_dir=tmp_path / "migrations" / "app",
            **(postgres if kind == "postgresql" else {"database_url": "sqlite:///app.db"}),  # type: ignore[arg-type]
        )
        return Files(config=config)

    return made


def there_and_back(upgrade: str, rollback: str, header: str = "") -> str:
    return f"{header}\n-- upgrade\n{upgrade}\n\n-- rollback\n{rollback}\n".lstrip("\n")


DROPS = there_and_back(
    "ALTER TABLE users DROP COLUMN amount;",
    "ALTER TABLE users ADD COLUMN amount numeric(10, 2);",
)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_column_that_comes_back_without_its_values_is_lost(
    kind: str, files_of: Callable[[str], Files]
) -> None:
    found = await files_of(kind).verified(USERS, DROPS)
    assert found.clean
    assert [item.verdict for item in found.migrations] == ["exact", "loses users.amount"]
    assert found.migrations[1].loses == ("users.amount",)
    assert found.migrations[1].findings == (
        "its header does not declare -- dbwarden: loses users.amount",
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "header", ["-- dbwarden: loses users.amount", "-- Loses users.amount: nobody reads it"]
)
async def test_a_file_that_declares_its_loss_has_no_finding(
    kind: str, header: str, files_of: Callable[[str], Files]
) -> None:
    last = await files_of(kind).last(f"{header}\n{DROPS}")
    assert (last.verdict, last.findings) == ("loses users.amount", ())


@pytest.mark.parametrize("kind", KINDS)
async def test_deleted_rows_are_lost(kind: str, files_of: Callable[[str], Files]) -> None:
    last = await files_of(kind).last(there_and_back("DELETE FROM users;", "SELECT 1;"))
    assert last.verdict == "loses users"


async def test_a_narrower_type_loses_values(files_of: Callable[[str], Files]) -> None:
    last = await files_of("postgresql").last(
        there_and_back(
            "ALTER TABLE users ALTER COLUMN email TYPE varchar(20) USING left(email, 20);",
            "ALTER TABLE users ALTER COLUMN email TYPE varchar(50);",
        )
    )
    assert last.verdict == "loses users.email"


SHORTER = there_and_back(
    "ALTER TABLE users ALTER COLUMN email TYPE varchar(20);",
    "ALTER TABLE users ALTER COLUMN email TYPE varchar(50);",
)

REFUSES = "fails on rows where users.email does not fit character varying(20)"


@pytest.mark.parametrize(
    ("header", "findings"),
    [
        ("-- Shorter.", (REFUSES,)),
        ("-- dbwarden: fails-on-rows", ()),
        ("-- dbwarden: rollback-fails-on-rows", (REFUSES,)),
        ("-- Fails on rows where users.email does not fit character varying(20)", ()),
        ("-- Verdict: loses users.email (tried on PostgreSQL 18.6)", ()),  # of earlier versions
    ],
)
async def test_a_type_that_refuses_values_is_a_finding_unless_declared(
    header: str, findings: tuple[str, ...], files_of: Callable[[str], Files]
) -> None:
    last = await files_of("postgresql").last(f"{header}\n{SHORTER}")
    assert (last.verdict, last.loses, last.findings) == ("exact", (), findings)


CODE = there_and_back(
    "CREATE DOMAIN code AS text CHECK (VALUE ~ '^[A-Z]{3}-[0-9]+$');"
    "ALTER TABLE users ADD COLUMN code code NOT NULL DEFAULT 'ABC-1';",
    "ALTER TABLE users DROP COLUMN code; DROP DOMAIN code;",
)


@pytest.mark.parametrize(
    ("header", "findings"),
    [
        ("-- Text.", ("no values could be generated for users",)),
        ("-- No values could be generated for users", ()),
        ("-- dbwarden: untried users", ()),
        ("-- dbwarden: untried orders", ("no values could be generated for users",)),
    ],
)
async def test_tables_without_sample_rows_are_named_unless_declared(
    header: str, findings: tuple[str, ...], files_of: Callable[[str], Files]
) -> None:
    unconstrained = there_and_back(
        "ALTER TABLE users ALTER COLUMN code TYPE text;",
        "ALTER TABLE users ALTER COLUMN code TYPE code;",
    )
    dropped = there_and_back(
        "ALTER TABLE users ALTER COLUMN code DROP DEFAULT;",
        "ALTER TABLE users ALTER COLUMN code SET DEFAULT 'ABC-1';",
    )
    last = await files_of("postgresql").last(CODE, dropped, f"{header}\n{unconstrained}")
    assert (last.verdict, last.findings) == ("exact without rows", findings)


@pytest.mark.parametrize("kind", KINDS)
async def test_rows_of_earlier_migrations_count_too(
    kind: str, files_of: Callable[[str], Files]
) -> None:
    seeds = (
        "-- upgrade\nINSERT INTO users (id, email, amount) VALUES (1, 'a', 5), (2, 'b', NULL);\n"
    )
    last = await files_of(kind).last(seeds, DROPS)
    assert last.verdict == "loses users.amount"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_rollback_that_leads_elsewhere_is_reported(
    kind: str, files_of: Callable[[str], Files]
) -> None:
    last = await files_of(kind).last(
        there_and_back("ALTER TABLE users DROP COLUMN amount;", "SELECT 1;")
    )
    assert last.problem is not None
    assert last.problem.startswith("rollback does not lead back: column users.amount")


@pytest.mark.parametrize("kind", KINDS)
async def test_values_restored_by_the_rollback_are_exact(
    kind: str, files_of: Callable[[str], Files]
) -> None:
    found = await files_of(kind).verified(
        USERS,
        there_and_back(
            "ALTER TABLE users RENAME COLUMN email TO mail;",
            "ALTER TABLE users RENAME COLUMN mail TO email;",
        ),
        there_and_back(
            "INSERT INTO users (id, mail) VALUES (1, 'a');", "DELETE FROM users WHERE id = 1;"
        ),
        there_and_back("CREATE INDEX ix ON users (mail);", "DROP INDEX ix;"),
    )
    assert {(item.verdict, item.findings) for item in found.migrations} == {("exact", ())}


NOT_NULL = there_and_back(
    "ALTER TABLE users ADD COLUMN age integer NOT NULL;", "ALTER TABLE users DROP COLUMN age;"
)


@pytest.mark.parametrize("kind", KINDS)
async def test_a_column_that_no_row_can_have_fails(
    kind: str, files_of: Callable[[str], Files]
) -> None:
    found = await files_of(kind).verified(USERS, NOT_NULL)
    assert not found.clean
    last = found.migrations[-1]
    assert last.verdict == "fails"
    assert last.problem is not None
    assert last.problem.startswith("fails where tables have rows: app__0002_by_hand.sql:2:")
    assert "null" in last.problem.lower()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "header",
    ["-- dbwarden: fails-on-rows", "-- Fails where tables have rows: users is empty by then"],
)
async def test_a_file_that_declares_that_it_fails_on_rows_has_no_finding(
    kind: str, header: str, files_of: Callable[[str], Files]
) -> None:
    found = await files_of(kind).verified(USERS, f"{header}\n{NOT_NULL}")
    assert found.clean
    assert found.migrations[-1].findings == ()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_step_that_some_rows_may_stop_is_reported_without_failing(
    kind: str, files_of: Callable[[str], Files]
) -> None:
    found = await files_of(kind).verified(
        USERS,
        there_and_back("UPDATE users SET email = 'same';", "SELECT 1;"),
        there_and_back("CREATE UNIQUE INDEX ux ON users (email, id);", "DROP INDEX ux;"),
        there_and_back(
            "UPDATE users SET amount = 1;\nCREATE UNIQUE INDEX uy ON users (amount);",
            "DROP INDEX uy;",
        ),
    )
    assert found.clean
    assert found.migrations[1].verdict == "loses users.email"
    assert found.migrations[2].findings == ()
    (finding,) = found.migrations[3].findings
    assert finding.startswith("fails on generated rows: app__0004_by_hand.sql:3:")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("column", ["age integer NOT NULL DEFAULT 0", "on_ boolean DEFAULT false"])
async def test_a_column_that_comes_back_with_its_default_is_lost(
    kind: str, column: str, files_of: Callable[[str], Files]
) -> None:
    add, name = f"ALTER TABLE users ADD COLUMN {column};", column.partition(" ")[0]
    drop = f"ALTER TABLE users DROP COLUMN {name};"
    last = await files_of(kind).last(there_and_back(add, drop), there_and_back(drop, add))
    assert last.verdict == f"loses users.{name}"


@pytest.mark.parametrize("kind", KINDS)
async def test_a_rollback_that_no_row_can_have_fails(
    kind: str, files_of: Callable[[str], Files]
) -> None:
    add = "ALTER TABLE users ADD COLUMN age integer NOT NULL"
    drop = "ALTER TABLE users DROP COLUMN age;"
    empty = there_and_back(f"{add};", drop, "-- Fails where tables have rows: there are none yet")
    last = await files_of(kind).last(empty, there_and_back(drop, f"{add};"))
    assert last.problem is not None
    assert last.problem.startswith("the rollback fails where tables have rows: app__0003_by_hand")


@pytest.mark.parametrize("kind", KINDS)
async def test_a_unique_key_over_possible_duplicates_is_reported(
    kind: str, files_of: Callable[[str], Files]
) -> None:
    unique = there_and_back("CREATE UNIQUE INDEX ux ON users (email);", "DROP INDEX ux;")
    found = await files_of(kind).verified(USERS, unique)
    assert found.clean
    last = found.migrations[-1]
    assert last.verdict == "exact"
    (finding,) = last.findings
    assert finding.startswith("fails on generated rows: app__0002_by_hand.sql:2:")


@pytest.mark.parametrize("kind", KINDS)
async def test_rows_of_a_migration_do_not_collide_with_generated_ones(
    kind: str, files_of: Callable[[str], Files]
) -> None:
    last = await files_of(kind).last(
        "-- upgrade\nINSERT INTO users (id, email) VALUES (1, 'admin'), (2, 'guest');\n"
    )
    assert (last.verdict, last.problem, last.findings) == ("irreversible", None, ())


USER = """
class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str | None]
    phone: Mapped[str] = mapped_column(server_default="none")
    amount: Mapped[int]
"""


async def test_files_of_make_migrations_agree_with_verify(project: Project) -> None:
    project.models(USER)
    await project.made()
    project.models(USER.replace("    email: Mapped[str | None]\n", ""))
    await project.made(allow_drop=["users.email"])
    fewer = USER.replace("    email: Mapped[str | None]\n", "").replace("users", "people")
    project.models(fewer.replace("    amount: Mapped[int]\n", ""))
    await project.made(renames=["users:people"], allow_drop=["people.amount"])
    project.models(fewer.replace("Mapped[int]\n", "Mapped[str]\n"))
    await project.make(allow_failing_on_rows=True)
    found = await verify(project.config)
    assert [(item.verdict, item.findings) for item in found.migrations] == [
        ("exact", ()),
        ("loses users.email", ()),
        ("exact without rows", ()),
        ("exact without rows", ()),
    ]


async def test_statements_that_refuse_a_transaction_are_tried_in_a_copy(
    files_of: Callable[[str], Files],
) -> None:
    last = await files_of("postgresql").last(
        there_and_back(
            "ALTER TABLE users DROP COLUMN amount;\nCREATE INDEX CONCURRENTLY ix ON users (email);",
            "DROP INDEX ix;\nALTER TABLE users ADD COLUMN amount numeric(10, 2);",
        )
    )
    assert last.verdict == "loses users.amount"
