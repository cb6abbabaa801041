"""Descriptions and examples for ``dbwarden COMMAND --help``."""

from collections.abc import Mapping

MORE: Mapping[str, tuple[str, tuple[str, ...]]] = {
    # command: description, examples
    "init": (
        "At a terminal, without --kind, --url, --models and --fastapi, the command asks for them. "
        "DATABASE_URL in the environment overrides the URL. Existing files are not overwritten.",
        ("dbwarden init", "dbwarden init --url postgresql://app@localhost/shop"),
    ),
    "new": (
        "The file has the next number and sections for the SQL of the upgrade and the rollback.",
        ('dbwarden new -m "create users"', 'dbwarden new -d analytics -m "count events"'),
    ),
    "make-migrations": (
        "Builds models and migration files in scratch databases and compares them. Every file is "
        "tested in both directions before it is written. At a terminal, the command asks about "
        "renames, drops and fills. With --keep-going, models that the server refuses are left out "
        "and listed, the rest is written, and the exit code is 3.",
        (
            'dbwarden make-migrations -m "add users"',
            'dbwarden make-migrations -m "rename nick" --rename users.nick:nickname',
            'dbwarden make-migrations -m "drop email" --allow-drop users.email',
            'dbwarden make-migrations -m "preview" --sql',
        ),
    ),
    "verify": (
        "Runs each file in a scratch database (up, down, up), then all of them, with rows too. "
        "Exit 3 if one fails.",
        ("dbwarden verify --all",),
    ),
    "lint": (
        "Runs each statement in a scratch database, and judges the locks, rewrites and scans that "
        "the server reports. A file allows a finding with -- dbwarden: allow RULE: REASON.",
        (
            "dbwarden lint",
            "dbwarden lint --pending --live",
            "dbwarden lint --changed-since origin/main --format github",
            "dbwarden lint --save-stats sizes.json && dbwarden lint --stats sizes.json",
        ),
    ),
    "diff": (
        "List the differences and print the SQL that brings the database in line with the "
        "migration files. Exit 3 if there is a difference. Reads only.",
        (
            "dbwarden diff",
            "dbwarden diff --models",
            "dbwarden diff --all --ignore 'table audit_*'",
            'dbwarden diff --adopt -d primary -m "hot fix"',
        ),
    ),
    "schema": (
        "--format mermaid and --format html draw the tables and their keys, for a Markdown file or "
        "a browser. --since VERSION colours what changed since that migration.",
        (
            "dbwarden schema > schema.sql",
            "dbwarden schema --live",
            "dbwarden schema --format mermaid",
            "dbwarden schema --all --format html --since 0003 > schema.html",
        ),
    ),
    "generate-models": (
        "Writes SQLAlchemy 2.0 code that is proven to build exactly that database.",
        ("dbwarden generate-models -o app/models.py",),
    ),
    "renumber": (
        "If two branches both added 0007, the one that is not applied moves to the end, and the "
        "new order is proven.",
        ("dbwarden renumber", "dbwarden renumber --move 0007_add_orders"),
    ),
    "import": (
        "Runs each migration of the other tool in a scratch database, with the project's own code "
        "and Python, and records the SQL. Each gets a file, which is proven to lead to the same "
        "schema. What depends on rows or on the moment is marked with -- dbwarden: review. No "
        "configured database is changed. Exit 3 if a file leads elsewhere.",
        (
            "dbwarden import alembic",
            "dbwarden import alembic --ini db/alembic.ini --python venv/bin/python",
            "dbwarden import alembic --since 4f2a9c1b",
            "dbwarden import flyway sql",
            "dbwarden import django --python venv/bin/python",
        ),
    ),
    "dev-server": (
        'Runs PostgreSQL without Docker, for databases with dev_database_url="embedded". Its '
        "files stay in .dbwarden/ until stop --remove.",
        ("dbwarden dev-server start", "dbwarden dev-server stop --remove"),
    ),
    "migrate": (
        "Each migration and its row in the migration history are one transaction. Running the "
        "command again continues where it stopped.",
        (
            "dbwarden migrate",
            "dbwarden migrate --all",
            "dbwarden migrate --check-drift",
            "dbwarden migrate -d 'tenant_*' --canary tenant_acme",
            "dbwarden migrate --all --phase pre",
            "dbwarden migrate --dry-run",
        ),
    ),
    "backfill": (
        "migrate starts the backfills of large tables, and backfill run carries them on to their "
        "end, in as many processes as you like. Whatever is killed, each batch is applied exactly "
        "once. A failed backfill runs again only after backfill resume.",
        (
            "dbwarden backfill run",
            "dbwarden backfill run 0007 --rate 2000 --max-lag 5",
            "dbwarden backfill status --all",
            "dbwarden backfill pause -d primary",
        ),
    ),
    "rollback": (
        "Rolls back one migration, or more with --to or --count. All of them are checked before "
        "the first one runs.",
        ("dbwarden rollback", "dbwarden rollback --to 0003", "dbwarden rollback --dry-run"),
    ),
    "baseline": (
        "For a database that existed before dbwarden. Without --to, it writes 0001 from the "
        "database and marks it; with --to, it marks existing files; with --from, each database "
        "is marked at the version that the other tool has recorded in it.",
        (
            "dbwarden baseline",
            "dbwarden baseline --to 0001",
            "dbwarden baseline --from alembic --all",
        ),
    ),
    "repair": (
        "Without options, it lists what needs a repair. It shows its changes and asks before it "
        "makes them. No migration SQL runs.",
        ("dbwarden repair", "dbwarden repair --accept 0003", "dbwarden repair --at 0007=2"),
    ),
    "create-database": (
        "Also creates the database of a new tenant, which does not have to be listed yet.",
        (
            "dbwarden create-database -d analytics",
            "dbwarden create-database -d 'tenant_*' --if-not-exists",
        ),
    ),
    "unlock": (
        "Without --force, it only shows the process. The work of a terminated process is rolled "
        "back. There are no stale locks to clear.",
        ("dbwarden unlock -d primary", "dbwarden unlock -d primary --force"),
    ),
    "status": ("", ("dbwarden status --all", "dbwarden status --all --json")),
    "history": (
        "Shows the newest rows last, and the number of older ones.",
        ("dbwarden history", "dbwarden history --limit 10", "dbwarden history --all-rows --json"),
    ),
    "check": (
        "Reports pending, changed, missing, partial and out-of-order migrations. --models compares "
        "the files with the models instead, without connecting to a configured database.",
        ("dbwarden check --all", "dbwarden check --models"),
    ),
    "health": (
        "The shape is that of the health endpoint. Exits with 3 for degraded, 1 for error.",
        ("dbwarden health --all",),
    ),
    "lock-status": ("", ("dbwarden lock-status --all",)),
    "wait": (
        "Waits for at most --timeout seconds, for containers that start together.",
        ("dbwarden wait --all --timeout 60 && dbwarden migrate --all",),
    ),
    "databases": ("", ("dbwarden databases",)),
    "settings": ("Passwords are not shown.", ("dbwarden settings -d primary",)),
}


def manual(command: str, sentence: str) -> str:
    """Return the text above the options of *command*; the list of commands shows *sentence*."""
    text, examples = MORE.get(command, ("", ()))
    shown = "\n".join(("For example:", *(f"    {line}" for line in examples))) if examples else ""
    return "\n\n".join(part for part in (sentence, text, shown) if part)
