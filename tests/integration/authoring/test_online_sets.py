"""Sets of files for tables in use: written, proven, applied and rolled back."""

import pytest

from dbwarden.errors import UnsupportedChange, UsageError
from dbwarden.operations.diff import drift
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
REFUSED = {
    "orders.amount": (
        BEFORE + "    twice: Mapped[int] = mapped_column(Computed('amount * 2'))\n",
        BEFORE.replace("amount: Mapped[int]", AMOUNT)
        + "    twice: Mapped[int] = mapped_column(Computed('amount * 2'))\n",
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
    made = await project.make("after", online=True, allow_rewrite=[name])
    assert made.proven
    assert len(made.files) == 1


async def test_a_rename_is_refused_unless_it_is_allowed(project: Project) -> None:
    project.models(BEFORE)
    await project.made("before")
    project.models(BEFORE.replace("note:", "remark:"))
    rename = {"renames": ["orders.note:remark"]}
    with pytest.raises(UsageError, match=r"uses orders\.note by the old name") as refused:
        await project.make("after", online=True, **rename)
    assert "--allow-rename orders.note" in (refused.value.next_step or "")
    made = await project.make("after", online=True, allow_rename=["orders.note"], **rename)
    assert made.proven


@pytest.mark.parametrize("flag", ["allow_rewrite", "allow_rename"])
async def test_a_permission_names_what_exists(project: Project, flag: str) -> None:
    project.models(BEFORE)
    with pytest.raises(UsageError, match="is only for --online"):
        await project.make("after", **{flag: ["orders.note"]})
    with pytest.raises(UsageError, match=r"orders\.nose: there is no such table or column"):
        await project.make("after", online=True, **{flag: ["orders.nose"]})
