"""What ``dbwarden COMMAND --help`` says above the options: what it does, and examples."""

from collections.abc import Mapping

MORE: Mapping[str, tuple[str, tuple[str, ...]]] = {
    # command: what else it does, and examples
    "init": (
        "The URL is read from the environment (DATABASE_URL) where that is set. Nothing is "
        "overwritten.",
        ("dbwarden init", "dbwarden init --url postgresql://app@localhost/shop"),
    ),
    "new": (
        "It gets the next number and has a place for the SQL of the upgrade and of the rollback.",
        ('dbwarden new -m "create users"', 'dbwarden new -d analytics -m "count events"'),
    ),
    "make-migrations": (
        "Models and migration files are built in scratch databases and compared; what is written "
        "was tried before, forth and back. At a terminal it asks about renames, drops and fills.",
        (
            'dbwarden make-migrations -m "add users"',
            'dbwarden make-migrations -m "rename nick" --rename users.nick:nickname',
            'dbwarden make-migrations -m "drop email" --allow-drop users.email',
            'dbwarden make-migrations -m "what would it be" --sql',
        ),
    ),
    "verify": (
        "Each runs in a scratch database: up, down, up, and then all the way, with a few rows too. "
        "Exit 3 when one does not hold.",
        ("dbwarden verify --all",),
    ),
    "diff": (
        "The list, and the SQL that leads from the database to the files. Exit 3 when there is a "
        "difference. Reads only.",
        ("dbwarden diff", "dbwarden diff --models", "dbwarden diff --all --json"),
    ),
    "schema": ("", ("dbwarden schema > schema.sql", "dbwarden schema --live")),
    "generate-models": (
        "SQLAlchemy 2.0 code that builds exactly that database, shown before it is written.",
        ("dbwarden generate-models -o app/models.py",),
    ),
    "renumber": (
        "For two branches that both made 0007: the one that is not applied moves to the end, and "
        "the new order is proven.",
        ("dbwarden renumber", "dbwarden renumber --move 0007_add_orders"),
    ),
    "dev-server": (
        'A PostgreSQL without Docker, for databases with dev_database_url="embedded". Its files '
        "stay in .dbwarden/ until stop --remove.",
        ("dbwarden dev-server start", "dbwarden dev-server stop --remove"),
    ),
    "migrate": (
        "Each migration is a transaction together with its row in the ledger. Running it again "
        "does just what is left.",
        (
            "dbwarden migrate",
            "dbwarden migrate --all",
            "dbwarden migrate -d 'tenant_*' --canary tenant_acme",
            "dbwarden migrate --dry-run",
        ),
    ),
    "rollback": (
        "One migration, unless --to or --count says otherwise. All of them are looked at before "
        "the first one runs.",
        ("dbwarden rollback", "dbwarden rollback --to 0003", "dbwarden rollback --dry-run"),
    ),
    "baseline": (
        "For a database that was there before dbwarden. Without --to it first writes 0001 from "
        "what the database has; with --to it marks files that are there.",
        ("dbwarden baseline", "dbwarden baseline --to 0001"),
    ),
    "repair": (
        "Without choices it says what needs one. It shows what it will do, and asks. No SQL of "
        "migrations runs.",
        ("dbwarden repair", "dbwarden repair --accept 0003", "dbwarden repair --at 0007=2"),
    ),
    "create-database": (
        "For a new tenant too, whether it is on the list yet or not.",
        (
            "dbwarden create-database -d analytics",
            "dbwarden create-database -d 'tenant_*' --if-not-exists",
        ),
    ),
    "unlock": (
        "Without --force it only says whom it would end. What that process was doing is rolled "
        "back. There are no stale locks to clear.",
        ("dbwarden unlock -d primary", "dbwarden unlock -d primary --force"),
    ),
    "status": ("", ("dbwarden status --all", "dbwarden status --all --json")),
    "history": (
        "It shows the newest rows last, and how many older ones there are.",
        ("dbwarden history", "dbwarden history --limit 10", "dbwarden history --all-rows --json"),
    ),
    "check": (
        "It finds what is pending, changed, missing, half-done or out of order. With --models it "
        "asks no database: do the files lead to the models?",
        ("dbwarden check --all", "dbwarden check --models"),
    ),
    "health": ("Exit 3 for degraded, 1 for error.", ("dbwarden health --all",)),
    "lock-status": ("", ("dbwarden lock-status --all",)),
    "wait": (
        "For containers that start together; for at most --timeout seconds.",
        ("dbwarden wait --all --timeout 60 && dbwarden migrate --all",),
    ),
    "databases": ("", ("dbwarden databases",)),
    "settings": ("Passwords are not shown.", ("dbwarden settings -d primary",)),
}


def manual(command: str, sentence: str) -> str:
    """The text above the options of *command*; *sentence* alone stands in the list of all."""
    text, examples = MORE.get(command, ("", ()))
    shown = "\n".join(("For example:", *(f"    {line}" for line in examples))) if examples else ""
    return "\n\n".join(part for part in (sentence, text, shown) if part)
