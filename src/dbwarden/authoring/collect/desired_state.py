"""Define how models are compiled, and the state that they and schema files describe."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import anyio.to_thread

from dbwarden.authoring.collect.hints import NO_HINTS, Hints
from dbwarden.authoring.collect.refused import RefusedModel, name_origin, without
from dbwarden.authoring.collect.set_up import SetUp
from dbwarden.authoring.scratch_session import Source
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.dialects.authoring import AuthoringDialect, ScratchDatabase
from dbwarden.errors import ScratchRefused
from dbwarden.files.migration import Migration

if TYPE_CHECKING:  # SQLAlchemy takes 0.25 s to import
    from dbwarden.authoring.collect.origins import ModelOrigin


@dataclass(frozen=True, slots=True, kw_only=True)
class Compilation:
    """How the models of a database are compiled.

    ``setup`` has the objects of ``scratch_setup``. With ``keep_going``, parts that cannot be
    written as SQL are left out. With ``stored``, generated columns are stored if the models leave
    that to the server.
    """

    config: DatabaseConfig
    dialect: AuthoringDialect
    setup: SetUp | None = None
    keep_going: bool = False
    stored: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DesiredState:
    """The SQL of models and schema files, in order, and the hints of the models.

    ``origins`` maps statements to parts of the models; ``refused`` lists the parts left out.
    ``storage_undecided`` is true if the server decides whether a generated column is stored.
    """

    statements: tuple[str, ...] = ()
    files: tuple[Migration, ...] = ()
    hints: Hints = field(default_factory=lambda: NO_HINTS)
    origins: Mapping[str, "ModelOrigin"] = field(default_factory=dict)
    refused: tuple[RefusedModel, ...] = ()
    storage_undecided: bool = False

    @property
    def source(self) -> Source:
        """The source that runs the schema files, then the models, which may use their objects."""

        async def build(database: ScratchDatabase) -> None:
            for file in self.files:
                await database.replay(file, file.upgrade)
            if not self.statements:
                return
            try:
                await database.execute(self.statements)
            except ScratchRefused as error:
                named = await anyio.to_thread.run_sync(name_origin, error, self.origins)
                raise named from error.__cause__

        texts = tuple(file.upgrade.text for file in self.files)
        return Source(parts=("wanted", *texts, "models", *self.statements), build=build)

    async def without(self, error: ScratchRefused) -> "DesiredState | None":
        """Return the state without the part that caused *error*, ``None`` if it is unknown."""
        left = await anyio.to_thread.run_sync(without, self.statements, self.origins, error)
        if left is None:
            return None
        statements, refused = left
        return replace(self, statements=statements, refused=(*self.refused, *refused))
