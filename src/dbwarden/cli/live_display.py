"""Show a line per database, or one bar for many. Imported on a terminal only."""

from collections.abc import Sequence
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

from dbwarden.telemetry import Event

MOST_LINES = 12
"""More databases than this share one bar."""


class Live:
    """The progress of each database, on the last lines of the terminal."""

    def __init__(self, databases: Sequence[str]) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[doing]}", style="dim"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._own: dict[str, TaskID] = {}
        self._all: TaskID | None = None
        if len(databases) <= MOST_LINES:
            self._own = {n: self._progress.add_task(n, total=None, doing="") for n in databases}
        else:
            self._all = self._progress.add_task("databases", total=len(databases), doing="")

    def __enter__(self) -> "Live":
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def on_event(self, event: Event) -> None:
        """Show *event* on the line of its database."""
        database = str(event.fields.get("database", ""))
        if event.name == "outcome" and event.fields["last"] and self._all is not None:
            self._progress.update(self._all, advance=1, doing=database)
        task = self._own.get(database)
        if task is None:
            return
        match event.name:
            case "planned":
                self._progress.update(task, total=event.fields["migrations"])
            case "migration_applied" | "migration_rolled_back":
                self._progress.update(task, advance=1, doing=str(event.fields["version"]))
            case "waiting_for_lock":
                self._progress.update(task, doing="waiting for another migrator")
            case "outcome":
                self._progress.update(task, total=1, completed=1, doing=event.fields["state"])
            case _:
                pass
