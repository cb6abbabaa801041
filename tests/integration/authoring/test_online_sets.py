"""Sets of files for tables in use: written, proven, applied and rolled back."""

import re
from typing import Any

import asyncpg
import pytest

from dbwarden.errors import UnsupportedChange, UsageError
from dbwarden.operations.diff import drift
from dbwarden.operations.migrate import migrate
from dbwarden.operations.rollback import rollback
from dbwarden.operations.verify import verify
from tests.integration.authoring.conftest import Project

BEFORE = """
class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[int]
    note: Mapped[str | None]
"""
AFTER = """
class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    amount: Mapped[int] = mapped_column(BigInteger)
    status: Mapped[str]
"""
FILL = {"orders.status": "'new'"}
DROP = ["orders.note"]


async def test_a_set_leads_to_the_models_and_back(project: Project) -> None:
    project.models(BEFORE)
    await project.made("before")
    await project.execute("INSERT INTO orders (amount) SELECT i FROM generate_series(1, 50) i")
    project.models(AFTER)
    made = await project.make("after", online=True, fills=FILL, allow_drop=DROP)
    assert made.proven
    assert [item.phase for item in made.files] == ["pre", "pre", "pre", "post"]
    assert [item.name for item in made.files] == [
        "primary__0002_after_expand.sql",
        "primary__0003_after_backfill.sql",
        "primary__0004_after_switch.sql",
        "primary__0005_after_contract.sql",
    ]
    assert all(item.path is not None and item.path.exists() for item in made.files)
    assert "-- requires-backfill: 0003\n" in made.files[2].text
    assert "-- batch: 100\n-- batch-seconds: 0.05\n" in made.files[1].text
    assert not any("rewrites" in lock for lock in made.locks)
    await project.migrate()
    assert (await project.make("nothing")).agree
    assert (await drift(project.config)).clean
    rows = await project.fetch("SELECT id, amount, status FROM orders ORDER BY id")
    assert [tuple(row) for row in rows] == [(i, i, "new") for i in range(1, 51)]
    assert (await verify(project.config)).clean
    await rollback(project.config, to="0001")
    rows = await project.fetch("SELECT id, amount FROM orders ORDER BY id")
    assert [tuple(row) for row in rows] == [(i, i) for i in range(1, 51)]


async def test_a_value_that_the_old_type_cannot_hold_stops_the_rollback(project: Project) -> None:
    project.models(BEFORE)
    await project.made("before")
    project.models(BEFORE.replace("amount: Mapped[int]", AMOUNT))
    made = await project.make("after", online=True)
    assert made.proven
    await project.migrate()
    await project.execute("INSERT INTO orders (amount) VALUES (7), (3000000000)")
    with pytest.raises(Exception, match="out of range"):
        await rollback(project.config, to="0001")
    rows = await project.fetch("SELECT amount FROM orders ORDER BY amount")
    assert [row[0] for row in rows] == [7, 3000000000]
    await project.execute("DELETE FROM orders WHERE amount > 7")
    await rollback(project.config, to="0001")
    assert [row[0] for row in await project.fetch("SELECT amount FROM orders")] == [7]


AMOUNT = "amount: Mapped[int] = mapped_column(BigInteger)"
IDENTITY = """
    __table_args__ = (Index("ix_note", "note", unique=True),)


event.listen(Order.__table__, "after_create", DDL("ALTER TABLE orders REPLICA IDENTITY"
    " USING INDEX ix_note"))
"""
REFUSED = {
    "orders.amount": (
        BEFORE + "    twice: Mapped[int] = mapped_column(Computed('amount * 2'))\n",
        BEFORE.replace("amount: Mapped[int]", AMOUNT)
        + "    twice: Mapped[int] = mapped_column(Computed('amount * 2'))\n",
    ),
    "orders.id": (  # loses its sequence as well
        BEFORE,
        BEFORE.replace("mapped_column(", "mapped_column(BigInteger, autoincrement=False, "),
    ),
    "orders.note": (  # joins the replica identity as well
        BEFORE.replace("| None", ""),
        BEFORE.replace("Mapped[str | None]", "Mapped[int]") + IDENTITY,
    ),
    "orders.twice": (
        BEFORE,
        BEFORE + "    twice: Mapped[int] = mapped_column(Computed('amount * 2', persisted=True))\n",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_what_has_no_such_form_is_refused_by_name(project: Project, name: str) -> None:
    before, after = REFUSED[name]
    project.models(before)
    await project.made("before")
    project.models(after)
    with pytest.raises(UnsupportedChange) as refused:
        await project.make("after", online=True)
    assert name.partition(".")[0] in refused.value.message
    assert "--allow-rewrite" in (refused.value.next_step or "")
    assert len(list(project.config.migrations_dir.iterdir())) == 1
    answers: dict[str, Any] = {"using": {"orders.note": "1"}, "allow_drop": ["orders.note"]}
    made = await project.make("after", online=True, allow_rewrite=[name], **answers)
    assert made.proven
    assert not any(item.backfill for item in made.files)


async def test_a_type_changes_next_to_a_new_replica_identity(project: Project) -> None:
    project.models(BEFORE.replace("| None", ""))
    await project.made("before")
    project.models(BEFORE.replace("| None", "").replace("amount: Mapped[int]", AMOUNT) + IDENTITY)
    made = await project.make("after", online=True)
    assert made.proven
    assert any(item.backfill for item in made.files)


RENAME = """
import uuid

class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[int] = mapped_column(server_default="7")
    note: Mapped[str | None] = mapped_column(server_default="none")
    key: Mapped[uuid.UUID] = mapped_column(server_default=text("gen_random_uuid()"), unique=True)
"""
RENAMED = RENAME.replace("amount:", "total:").replace("note:", "remark:").replace("key:", "token:")
NAMES = {"renames": ["orders.amount:total", "orders.note:remark", "orders.key:token"]}
WRITES = {
    "(amount, note) VALUES (1, 'x')": (1, "x"),
    "(amount, note) VALUES (2, NULL)": (2, None),
    "(note) VALUES ('none')": (7, "none"),
    "(total, remark) VALUES (3, 'y')": (3, "y"),
    "(total, remark) VALUES (4, NULL)": (4, None),
    "(total) VALUES (7)": (7, "none"),
    "DEFAULT VALUES": (7, "none"),
}


async def test_writers_of_both_names_get_the_same_values_and_defaults(project: Project) -> None:
    project.models(RENAME)
    await project.made("before")
    await project.execute("INSERT INTO orders (amount, note) VALUES (5, 'x'), (6, NULL)")
    project.models(RENAMED)
    made = await project.make("after", online=True, **NAMES)
    assert made.proven
    assert [item.phase for item in made.files] == ["pre", "pre", "pre", "post"]
    await migrate(project.config, to=made.files[2].version)
    await _both_names_are_equal(project)
    await project.migrate()
    assert (await project.make("nothing")).agree
    await rollback(project.config, count=1)
    await _both_names_are_equal(project)
    await rollback(project.config, to="0001")
    rows = await project.fetch("SELECT amount, note FROM orders WHERE id <= 2 ORDER BY id")
    assert [tuple(row) for row in rows] == [(5, "x"), (6, None)]


async def _both_names_are_equal(project: Project) -> None:
    wrong = "amount IS DISTINCT FROM total OR note IS DISTINCT FROM remark OR key <> token"
    raw = await asyncpg.connect(project.server.url(project.database))
    for text, values in WRITES.items():
        row, *there = await raw.fetchrow(f"INSERT INTO orders {text} RETURNING id, amount, note")
        assert tuple(there) == values, text
        for change in ("amount = 8", "total = 9", "note = NULL", "remark = 'z'", "remark = NULL"):
            name, _, value = change.partition(" = ")
            changed = f"UPDATE orders SET {change} WHERE id = {row} RETURNING {name}::text"
            assert await raw.fetchval(changed) == (None if value == "NULL" else value.strip("'"))
            assert not await raw.fetch(f"SELECT FROM orders WHERE {wrong}"), (text, change)
    await raw.close()


REMARK = BEFORE.replace("note:", "remark:")
RANDOM = "Mapped[float | None] = mapped_column(server_default=text('random()'))"
TWICE = "    twice: Mapped[int] = mapped_column(Computed('amount * 2', persisted=True))\n"
TRIGGER = """
event.listen(Order.__table__, "after_create", DDL("CREATE TRIGGER g BEFORE UPDATE OF note"
    " ON orders FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()"))
"""
UNFIT = {
    "a part of the primary key": (
        "orders.id:number",
        BEFORE,
        BEFORE.replace("id:", "number:"),
        "it is part of the primary key",
    ),
    "a column that changes its type": (
        "orders.note:remark",
        BEFORE,
        REMARK.replace("str | None]", "int | None]"),
        "its type, default or NOT NULL changes as well",
    ),
    "a NULL that may be a default of its own": (
        "orders.note:remark",
        BEFORE.replace("Mapped[str | None]", RANDOM),
        REMARK.replace("Mapped[str | None]", RANDOM),
        "it allows NULL, and each row computes its default",
    ),
    "the source of a generated column": (
        "orders.amount:total",
        BEFORE + TWICE,
        (BEFORE + TWICE).replace("amount", "total"),
        "orders.twice uses it",
    ),
    "a row whose type changes": (
        "orders.note:remark",
        BEFORE,
        REMARK.replace("amount: Mapped[int]", AMOUNT),
        "a type in orders changes as well",
    ),
    "the column of a trigger": (
        "orders.note:remark",
        BEFORE + TRIGGER,
        REMARK + TRIGGER.replace("note", "remark"),
        "trigger g on public.orders names it",
    ),
    "a name that was another column's": (
        "orders.note:amount",
        BEFORE,
        BEFORE.replace("    amount: Mapped[int]\n", "").replace("note", "amount"),
        "one of the names is that of another column",
    ),
    "a table that loses a column": (
        "orders:purchases",
        BEFORE,
        BEFORE.replace('"orders"', '"purchases"').replace("    note: Mapped[str | None]\n", ""),
        "note is dropped as well",
    ),
    "a table with rows to fill": (
        "orders:purchases",
        BEFORE,
        BEFORE.replace('"orders"', '"purchases"') + "    status: Mapped[str]\n",
        "rows of purchases are filled in the same set of files",
    ),
}


@pytest.mark.long(share=3)
@pytest.mark.parametrize("name", UNFIT)
async def test_what_cannot_have_two_names_is_refused_by_name(project: Project, name: str) -> None:
    rename, before, after, why = UNFIT[name]
    old = rename.partition(":")[0]
    project.models(before)
    await project.made("before")
    project.models(after)
    answers: dict[str, Any] = {
        "fills": {"purchases.status": "'new'"} if "status" in after else {},
        "using": {"orders.remark": "1"} if "type" in name else {},
    }
    drop = ["orders.note", "orders.amount"]
    with pytest.raises(UnsupportedChange, match=re.escape(why)) as refused:
        await project.make("after", online=True, renames=[rename], allow_drop=drop, **answers)
    assert refused.value.message.startswith(f"{old} cannot have its old and its new name")
    assert f"--allow-rename {old}" in (refused.value.next_step or "")
    assert len(list(project.config.migrations_dir.iterdir())) == 1


async def test_a_rename_is_in_place_if_that_is_allowed(project: Project) -> None:
    project.models(BEFORE)
    await project.made("before")
    project.models(REMARK)
    allowed = {"renames": ["orders.note:remark"], "allow_rename": ["orders.note"]}
    made = await project.make("after", online=True, **allowed)
    assert made.proven
    assert [item.phase for item in made.files] == [None]
    assert "RENAME COLUMN note TO remark" in made.files[0].text


async def test_a_view_that_no_model_declares_keeps_its_column(project: Project) -> None:
    project.models(BEFORE)
    await project.made("before")
    project.migration(2, "-- upgrade\nCREATE VIEW v AS SELECT note FROM orders;")
    project.models(REMARK)
    rename = {"renames": ["orders.note:remark"]}
    with pytest.raises(UnsupportedChange, match=r"v reads column public\.orders\.note") as refused:
        await project.make("after", online=True, **rename)
    assert "--allow-rename orders.note" in (refused.value.next_step or "")
    assert (await project.make("after", online=True, allow_rename=["orders.note"], **rename)).proven


async def test_roles_keep_their_privileges_on_a_renamed_table(project: Project) -> None:
    project.models(BEFORE)
    await project.made("before")
    role = project.database
    await project.execute(
        f"CREATE ROLE {role}; GRANT INSERT, SELECT (id, amount) ON orders TO {role};"
        f"GRANT USAGE ON SEQUENCE orders_id_seq TO {role}"
    )
    project.models(BEFORE.replace('"orders"', '"purchases"'))
    made = await project.make("after", online=True, renames=["orders:purchases"])
    assert [item.phase for item in made.files] == ["pre", "post"]
    await migrate(project.config, to=made.files[0].version)
    for table in ("orders", "purchases"):
        await project.execute(
            f"SET ROLE {role}; INSERT INTO {table} (amount) VALUES (1) RETURNING id, amount"
        )
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await project.execute(f"SET ROLE {role}; SELECT note FROM {table}")
    await project.execute(f"DROP OWNED BY {role}; DROP ROLE {role}")


@pytest.mark.parametrize("flag", ["allow_rewrite", "allow_rename"])
async def test_a_permission_names_what_exists(project: Project, flag: str) -> None:
    project.models(BEFORE)
    with pytest.raises(UsageError, match="is only for --online"):
        await project.make("after", **{flag: ["orders.note"]})
    with pytest.raises(UsageError, match=r"orders\.nose: there is no such table or column"):
        await project.make("after", online=True, **{flag: ["orders.nose"]})
