"""Commands that show the configuration."""

import platform
import sys
from dataclasses import fields

import anyio.to_thread

from dbwarden import __version__
from dbwarden.cli import output
from dbwarden.cli.documents import Json, plain
from dbwarden.cli.options import Project, Target
from dbwarden.cli.run import project, selected
from dbwarden.cli.style import short
from dbwarden.config.model import DatabaseConfig

DISTRIBUTIONS = ("SQLAlchemy", "asyncpg", "aiosqlite", "anyio", "fastapi", "cyclopts", "structlog")


async def databases(*, options: Project = Project()) -> int:  # noqa: B008
    """The configured databases: name, kind, where, and their migrations folder."""
    found = await project(options)
    if options.json:
        output.say_json(
            {"config": str(found.path), "databases": [_document(c) for c in found.databases]}
        )
        return 0
    rows = [
        (
            config.database_name,
            config.database_type,
            config.display_url,
            "default"
            if config.default
            else f"replica of {config.replica_of}"
            if config.replica_of
            else "",
            short(config.migrations_dir),
        )
        for config in found.databases
    ]
    output.say_table(("database", "kind", "url", "", "migrations"), rows)
    return 0


def _document(config: DatabaseConfig) -> Json:
    """Every setting but the URLs as they are: those are shown without their secrets."""
    document: Json = {}
    for field in fields(config):
        if field.name in ("migration_url", "dev_database_url"):
            document[field.name] = "configured" if getattr(config, field.name) else None
        elif field.name == "database_url":
            document[field.name] = config.display_url
        elif field.name == "engine_options":
            document[field.name] = sorted(config.engine_options)
        else:
            document[field.name] = plain(getattr(config, field.name))
    return document


async def settings(*, target: Target = Target()) -> int:  # noqa: B008
    """Every setting of a database and its value; secrets are never shown."""
    configs = await selected(target)
    if target.json:
        output.say_json({"databases": [_document(config) for config in configs]})
        return 0
    for config in configs:
        output.say(str(config.database_name))
        rows = [(f"  {name}", _text(value)) for name, value in _document(config).items()]
        output.say_table(("  setting", "value"), rows)
    return 0


def _text(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(item) for item in value) or "-"
    return "-" if value is None else str(value)


async def version(*, options: Project = Project()) -> int:  # noqa: B008
    """The versions of dbwarden, Python and the drivers, for a report of a problem."""
    versions = await anyio.to_thread.run_sync(_versions)
    if options.json:
        output.say_json({**versions, "platform": sys.platform})
    else:
        output.say_table(("package", "version"), list(versions.items()))
    return 0


def _versions() -> dict[str, str]:
    from importlib import metadata

    versions = {"dbwarden": __version__, "Python": platform.python_version()}
    for name in DISTRIBUTIONS:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = "not installed"
    return versions
