"""The same small migrations for everybody: a table and an index each."""

import hashlib
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

MARK_UP, MARK_DOWN = "-- upgrade\n", "-- rollback\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plain:
    """A migration as a hand-written runner has it."""

    key: str
    sql: str
    checksum: str


def upgrade(number: int) -> str:
    return textwrap.dedent(f"""\
        CREATE TABLE item_{number:04d} (
            id bigint PRIMARY KEY,
            name varchar(100) NOT NULL,
            created_at timestamptz NOT NULL DEFAULT now()
        );
        CREATE INDEX item_{number:04d}_name_idx ON item_{number:04d} (name);
        """)


def write_folder(folder: Path, owner: str, count: int) -> Path:
    """Write *count* migrations of the database *owner* as dbwarden wants them."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(1, count + 1):
        text = f"{MARK_UP}\n{upgrade(number)}\n{MARK_DOWN}\nDROP TABLE item_{number:04d};\n"
        (folder / f"{owner}__{number:04d}_item_{number:04d}.sql").write_text(text)
    return folder


def read_plain(folder: Path) -> list[Plain]:
    """Read the same files as a hand-written runner does, in twenty lines."""
    found = []
    for path in sorted(folder.glob("*.sql")):
        text = path.read_text()
        sql = text[text.index(MARK_UP) + len(MARK_UP) : text.index(MARK_DOWN)]
        checksum = hashlib.sha256(sql.encode()).hexdigest()
        found.append(Plain(key=path.name.split("__")[1][:4], sql=sql, checksum=checksum))
    return found


RAW_LEDGER = "CREATE TABLE IF NOT EXISTS raw_ledger (key text PRIMARY KEY, checksum text NOT NULL)"


def raw_message(migrations: Sequence[Plain]) -> str:
    """Many migrations for one message, a transaction each with its ledger row."""
    return "".join(
        f"BEGIN;\n{m.sql}\nINSERT INTO raw_ledger (key, checksum) "
        f"VALUES ('{m.key}', '{m.checksum}');\nCOMMIT;\n"
        for m in migrations
    )


ALEMBIC_REVISION = '''\
"""item {number:04d}"""

import sqlalchemy as sa
from alembic import op

revision = "{number:04d}"
down_revision = {before!r}


def upgrade() -> None:
    op.create_table(
        "item_{number:04d}",
        sa.Column("id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("item_{number:04d}_name_idx", "item_{number:04d}", ["name"])


def downgrade() -> None:
    op.drop_table("item_{number:04d}")
'''


def write_revisions(folder: Path, count: int) -> None:
    """Write the same migrations as Alembic has them."""
    for number in range(1, count + 1):
        before = f"{number - 1:04d}" if number > 1 else None
        text = ALEMBIC_REVISION.format(number=number, before=before)
        (folder / f"{number:04d}_item.py").write_text(text)


def write_psql(path: Path, migrations: Sequence[Plain]) -> None:
    """Write all of them as one file for ``psql -f``."""
    path.write_text(f"{RAW_LEDGER};\n{raw_message(migrations)}")
