"""``databases``: the configured databases."""

from dataclasses import fields

from dbwarden.cli import output
from dbwarden.cli.options import CommandOptions
from dbwarden.cli.selection import load_project
from dbwarden.cli.style import pluralize, relative
from dbwarden.config.database_options import URL_KINDS, DatabaseConfig
from dbwarden.config.project import Project
from dbwarden.config.tenants import TenantFamily
from dbwarden.fleet.documents import Json, plain


async def databases(*, tenants: bool = False, options: CommandOptions = CommandOptions()) -> int:
    """List the configured databases.

    For example:
        dbwarden databases

    Parameters
    ----------
    tenants
        Show each tenant on its own line, instead of one line per pattern.
    """
    project = await load_project(options)
    if tenants:
        await project.expand(all_databases=True)
    if options.json:
        output.say_json(_documents(project, tenants=tenants))
        return 0
    rows = []
    for item in project.declared:
        if isinstance(item, DatabaseConfig):
            rows.append(_row(item))
        elif tenants:
            rows.extend(_row(config) for config in item.databases)
        else:
            rows.append(_family_row(item))
    headers = ("database", "kind", "url", "", "migrations")
    output.say_table(headers, rows, spare=("kind", "migrations"))
    return 0


def _row(config: DatabaseConfig) -> tuple[str, ...]:
    word = "default" if config.default else ""
    word = f"replica of {config.replica_of}" if config.replica_of else word
    folder = relative(config.migrations_dir)
    return (config.database_name, config.database_type, config.display_url, word, folder)


def _family_row(family: TenantFamily) -> tuple[str, ...]:
    template, count = family.template, family.count
    word = f"tenants of {family.source_name}" if count is None else pluralize(count, "tenant")
    folder = relative(template.migrations_dir)
    return (family.pattern.name, template.database_type, family.display_url, word, folder)


def _documents(project: Project, *, tenants: bool) -> Json:
    listed = project.databases if tenants else project.single
    return {
        "config": str(project.path),
        "databases": [document_of(config) for config in listed],
        "tenants": [
            {
                **document_of(family.template),
                "database_name": family.pattern.name,
                "database_url": family.display_url,
                "count": family.count,
            }
            for family in project.families
        ],
    }


def document_of(config: DatabaseConfig) -> Json:
    """Return every setting; URLs without their secrets."""
    document: Json = {}
    for field in fields(config):
        if field.name in ("primary", "project"):
            continue  # "replica_of" and "config" name them
        if field.name in URL_KINDS:
            document[field.name] = config.display(field.name)
        elif field.name == "engine_options":
            document[field.name] = sorted(config.engine_options)
        else:
            document[field.name] = plain(getattr(config, field.name))
    return document
