"""``schema``: the schema as SQL, or as a picture of its tables and keys."""

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Literal, assert_never

from cyclopts import Parameter

from dbwarden import fleet
from dbwarden.cli import output
from dbwarden.cli.left_out import note_left_out
from dbwarden.cli.options import FleetOptions
from dbwarden.cli.run import AT_ONCE_IN_SCRATCH, Texts, report, run
from dbwarden.cli.selection import Selection, Which, select
from dbwarden.drawing.mermaid import mermaid
from dbwarden.drawing.page import page
from dbwarden.errors import UsageError
from dbwarden.operations.draw import SchemaDiagram, draw_schema
from dbwarden.operations.schema import SchemaResult, schema_sql

PictureFormat = Literal["mermaid", "html"]


async def schema(
    *,
    live: bool = False,
    format: Annotated[Literal["sql"] | PictureFormat, Parameter(show_default=True)] = "sql",
    since: str | None = None,
    options: FleetOptions = FleetOptions(),
) -> int:
    """Print the schema of the migration files as SQL.

    --format mermaid and --format html draw the tables and their keys, for a
    Markdown file or a browser. --since VERSION colours what changed since that
    migration.

    For example:
        dbwarden schema > schema.sql
        dbwarden schema --live
        dbwarden schema --format mermaid
        dbwarden schema --all --format html --since 0003 > schema.html

    Parameters
    ----------
    live
        Print the schema of the live database instead.
    format
        sql, or a picture of the tables and their keys: mermaid or html.
    since
        With a picture, colour what changed since this version; 0 for everything.
    """
    if since is not None and format == "sql":
        raise UsageError(
            "--since colours a picture, and SQL has no colours",
            next_step="Add --format html or --format mermaid.",
        )
    which = Which.LIVE if live else Which.FILES
    selection = await select(options, which, live_flag="--live")
    if format == "sql":
        return await _print_sql(selection, live=live)
    return await _draw(selection, partial(draw_schema, live=live, since=since), format)


async def _print_sql(selection: Selection, *, live: bool) -> int:
    outcomes = await run(partial(schema_sql, live=live), selection, at_once=AT_ONCE_IN_SCRATCH)
    several = len(outcomes) > 1

    def show(result: SchemaResult) -> None:
        output.say(*([f"-- {result.database}", ""] if several else []), result.sql)
        note_left_out(result.left_out, result.database if several else None)

    return await report("schema", outcomes, selection, Texts(show, flat=True))


async def _draw(
    selection: Selection, draw: fleet.Operation[SchemaDiagram], format: PictureFormat
) -> int:
    outcomes = await run(draw, selection, at_once=AT_ONCE_IN_SCRATCH)
    drawn: list[SchemaDiagram] = []
    code = await report("schema", outcomes, selection, Texts(drawn.append, flat=True))
    if drawn:
        output.say(_picture(drawn, format))
    return code


def _picture(drawn: Sequence[SchemaDiagram], format: PictureFormat) -> str:
    match format:
        case "mermaid":
            name = len(drawn) > 1
            texts = [(f"%% {d.database}\n" if name else "") + mermaid(d.diagram) for d in drawn]
            return "\n\n".join(texts)
        case "html":
            since = f", changes since {drawn[0].since}" if drawn[0].since is not None else ""
            title = f"Schema of {', '.join(d.database for d in drawn)}{since}"
            return page(title, [(d.database, d.diagram) for d in drawn])
        case _:
            assert_never(format)
