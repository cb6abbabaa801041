"""A set of files that loses a write of the running application is not proven."""

import re
from collections.abc import Sequence

import pytest

from dbwarden.operations.verify import verify
from tests.integration.authoring.conftest import Project

BEFORE = """
class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[int | None] = mapped_column(index=True)
    note: Mapped[str | None]
    place: Mapped[str | None]
"""
AFTER = """
class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[int | None] = mapped_column(BigInteger, index=True)
    status: Mapped[str]
    place: Mapped[str | None]
"""


FORWARD = r"-- Keeps orders.amount__new(?:(?!EXECUTE).)*EXECUTE FUNCTION orders_amount_sync\(\);\n"
BACKWARD = FORWARD.replace("__new", "__old")
DROPPED = r"DROP TRIGGER orders_amount_sync ON orders;\nDROP FUNCTION orders_amount_sync\(\);\n"
SYNC = "NEW.amount__new := NEW.amount;"
INSERTS = r"BEFORE INSERT OR UPDATE (ON orders\n    FOR EACH ROW EXECUTE FUNCTION orders_amount)"
CHECK = r"-- @dbwarden:autocommit\nDO \$validate\$ BEGIN.*?END \$validate\$;\n"
FILLS = r"CREATE TRIGGER orders_status_fill[^;]*;\n"
_TEXTS: dict[str, str] = {}


async def files_of(project: Project) -> dict[str, str]:
    """Return the files of a proven set, by the last word of their names; written once."""
    if not _TEXTS:
        project.models(BEFORE)
        made = await project.make("before")
        _TEXTS["before"] = made.files[0].text
        project.models(AFTER)
        fills, drops = {"orders.status": "'new'"}, ["orders.note"]
        made = await project.make("after", online=True, fills=fills, allow_drop=drops)
        assert made.proven
        for item in made.files:
            _TEXTS[item.name.rpartition("_")[2].partition(".")[0]] = item.text
            assert item.path is not None
            item.path.unlink()
    return dict(_TEXTS)


async def problems_of(project: Project, texts: dict[str, str]) -> list[str]:
    """Write the files, and return the problems that verify finds."""
    for number, (word, text) in enumerate(texts.items(), start=1):
        name = f"migrations/primary/primary__{number:04d}_{word}.sql"
        project.file(name, "").write_text(text, encoding="utf-8")
    return [item.problem for item in (await verify(project.config)).migrations if item.problem]


Edit = tuple[str, str, str]
"""The word of a file, or ``*`` for all of them; a pattern, and what each match becomes."""


def edit(texts: dict[str, str], edits: Sequence[Edit]) -> None:
    """Edit files as a person does, in both directions, so that their schemas stay equal."""
    for word, pattern, by in edits:
        total = 0
        for name in texts if word == "*" else [word]:
            texts[name], count = re.subn(pattern, by, texts[name], flags=re.DOTALL)
            total += count
        assert total, (word, pattern)


FAULTS: dict[str, tuple[list[Edit], str]] = {
    "a trigger that ignores updates": (
        [
            ("expand", INSERTS, r"BEFORE INSERT \1"),
            ("switch", f"{INSERTS}(?=[^;]*;\n*$)", r"BEFORE INSERT \1"),
        ],
        r"primary__0003_backfill\.sql:\d+: primary__0004_switch\.sql:\d+ fails after a write: "
        r".* does not have the values of amount\. .* the old release ran UPDATE \S+ SET amount = '",
    ),
    "a trigger that ignores updates, and no comparison": (
        [
            ("expand", INSERTS, r"BEFORE INSERT \1"),
            ("switch", f"{INSERTS}(?=[^;]*;\n*$)", r"BEFORE INSERT \1"),
            ("switch", CHECK, ""),
        ],
        r"primary__0003_backfill\.sql:\d+: a write is lost: after primary__0004_switch\.sql, "
        r"the row of orders with id \d+ has amount .*'\. .* ran UPDATE \S+ SET amount = ",
    ),
    "a trigger that ignores NULL": (
        [
            ("*", f"({SYNC})", r"IF NEW.amount > 0 THEN \1 END IF;"),
            ("switch", CHECK, ""),
        ],
        r"a write is lost: .* has amount '\d+', not NULL\. .* SET amount = NULL",
    ),
    "a trigger that stops deletes": (
        [
            ("*", INSERTS, r"BEFORE INSERT OR UPDATE OR DELETE \1"),
            ("*", f"({SYNC})", r"IF TG_OP = 'DELETE' THEN RETURN NULL; END IF; \1"),
        ],
        r"a write is lost: .* is still there\. .* the old release ran DELETE FROM",
    ),
    "no trigger back": (
        [
            ("switch", BACKWARD, ""),
            ("contract", BACKWARD, ""),
            ("contract", DROPPED, ""),
            ("switch", rf"(-- rollback.*){DROPPED}", r"\1"),
            ("contract", "amount__old = NULL", "amount__old = amount"),
        ],
        r"0004_switch\.sql:\d+: \S+_switch\.sql:\d+ fails after a write: .*amount__old",
    ),
    "no trigger back after contract": (
        [
            ("contract", rf"(-- rollback.*){INSERTS}", r"\1BEFORE UPDATE \2"),
            ("switch", rf"{INSERTS}(?=[^;]*;\n+-- rollback)", r"BEFORE UPDATE \1"),
        ],
        r"0004_switch\.sql:\d+: \S+_switch\.sql:\d+ fails after a write: .*amount__old",
    ),
    "a trigger that overwrites the new release": (
        [("*", "IF NEW.status IS NULL THEN", "IF true THEN")],
        r"a write is lost: .* has status 'new', not '\d+'\. .* the new release ran",
    ),
    "the old release without a fill": (
        [
            ("contract", "DROP TRIGGER orders_status_fill ON orders;", ""),
            ("contract", FILLS, ""),
            (
                "switch",
                r"(-- rollback\n)",
                r"DROP TRIGGER orders_status_fill ON orders;\n\1CREATE TRIGGER orders_status_fill "
                r"BEFORE INSERT OR UPDATE ON orders\n"
                r"    FOR EACH ROW EXECUTE FUNCTION orders_status_fill();\n",
            ),
        ],
        r"the old release cannot write orders any more: .* INSERT INTO .*null value in column",
    ),
    "a trigger after the backfill": (
        [
            ("switch", FORWARD + "$", ""),
            ("switch", "-- upgrade\n", "-- upgrade\nCREATED"),
            ("expand", FORWARD, ""),
            ("expand", DROPPED, ""),
        ],
        r"primary__0004_switch\.sql:\d+ fails after a write: .*values of amount",
    ),
}


@pytest.mark.long(share=3)
@pytest.mark.parametrize("fault", FAULTS)
async def test_a_set_that_loses_a_write_is_refused(project: Project, fault: str) -> None:
    texts = await files_of(project)
    edits, message = FAULTS[fault]
    created = re.search(FORWARD, texts["expand"], re.DOTALL)
    assert created is not None
    edit(texts, [(word, old, new.replace("CREATED", created[0])) for word, old, new in edits])
    (problem,) = await problems_of(project, texts)
    assert re.search(message, problem), problem
    assert "Correct the triggers on orders" in problem


async def test_a_set_that_loses_no_write_is_exact(project: Project) -> None:
    assert await problems_of(project, await files_of(project)) == []
