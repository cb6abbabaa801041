"""Turn a plan into proven migration files: one, or a set for tables in use."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from dbwarden.authoring.compare.comparison import SchemaComparison
from dbwarden.authoring.compare.user_choices import Answers
from dbwarden.authoring.generate.file_set import SetFile
from dbwarden.authoring.prove.proving import prove
from dbwarden.authoring.prove.rewrites import EXPECTED, refuse_rewrites
from dbwarden.authoring.prove.verdict import Proof, verdict
from dbwarden.authoring.scratch_session import ScratchSession
from dbwarden.authoring.write.header_notes import (
    failure_on_rows,
    find_changed_values,
    losses_before_renames,
    notes_of,
)
from dbwarden.authoring.write.migration_text import Header, SetPlace, lock_lines, migration_text
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.errors import NotProven
from dbwarden.files.declarations import covers
from dbwarden.files.folder import next_version
from dbwarden.files.migration import Migration
from dbwarden.files.naming import FileName, slug
from dbwarden.operations.operation import parse_file
from dbwarden.schema import Schema
from dbwarden.types import Version, format_version

WHAT = {
    "expand": "adds what is new; the running application goes on",
    "backfill": "fills rows in batches",
    "switch": "switches to what is new; the running application goes on",
    "contract": "removes the rest, after the deployment of the new application",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeFile:
    """A migration file to write, and what its proof came to; ``path`` once it is written.

    ``phase`` is ``pre`` or ``post`` for a file of a set. ``backfill`` is its table, if it is one.
    """

    name: str
    version: str
    text: str
    verdict: str
    proven: bool
    path: Path | None = None
    phase: str | None = None
    backfill: str | None = None
    loses: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    locks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Naming:
    """What the names of new files are made of: the files so far, the message, the given name."""

    config: DatabaseConfig
    files: Sequence[Migration | FileName]
    message: str
    name: str | None = None

    def version(self, place: int = 0) -> str:
        """Return the version of the new file at *place*."""
        return format_version(Version(next_version(self.files) + place))

    def file_name(self, place: int = 0, ending: str = "") -> str:
        """Return the name of the new file at *place*."""
        words = slug(f"{self.name or self.message} {ending}".strip())
        return f"{self.config.files_of}__{self.version(place)}_{words}.sql"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewFiles:
    """The files of one plan, and the schemas between which they lead."""

    naming: Naming
    parts: tuple[SetFile, ...]
    comparison: SchemaComparison

    def name(self, number: int) -> str:
        """Return the name of a file, which ends with its part in the set."""
        part, ending = self.parts[number], ""
        if len(self.parts) > 1 and part.name is not None:
            several = sum(item.table is not None for item in self.parts) > 1
            ending = f"{part.name} {part.table}" if part.table and several else part.name
        return self.naming.file_name(number, ending)

    def place(self, number: int) -> SetPlace | None:
        """Return the place of a file in the set; ``None`` for the only file without a phase."""
        part = self.parts[number]
        if part.name is None:
            return None
        return SetPlace(
            number=number + 1,
            of=len(self.parts),
            what=WHAT[part.name],
            phase="post" if part.name == "contract" else "pre",
            table=part.table,
            after=tuple(self.naming.version(place) for place in part.after),
        )


async def prove_files(
    session: ScratchSession, files: NewFiles, answers: Answers
) -> tuple[Proof, ...]:
    """Prove *files*, and refuse what ``--online`` has no form for.

    Raises:
        ScratchRefused, NotProven: A file does not lead where it should.
        UnsupportedChange: A file would rewrite a table.
    """
    config, comparison = session.config, files.comparison
    migrations = [
        parse_file(config, config.migrations_dir / draft.name, draft.text)
        for draft in render_files(files)
    ]
    proofs = await prove(session, comparison, migrations)
    _refuse_broken(proofs[-1].after, comparison.current, migrations[-1])
    if answers.online:
        rules = await refuse_rewrites(session, comparison.source, migrations, answers)
        pairs = zip(proofs, rules, strict=True)
        proofs = tuple(replace(proof, expected=expected) for proof, expected in pairs)
    return proofs


def _refuse_broken(after: Schema, before: Schema, migration: Migration) -> None:
    """Raise if the migration breaks a view or trigger."""
    known = {ref for ref, _ in before.broken}
    for ref, why in after.broken:
        if ref not in known:
            raise NotProven(
                f"{ref} could not be used afterwards: {why}",
                database=migration.database,
                location=migration.at(),
                next_step=f"Correct {ref} or what it reads, where it is made: a DDL event of the "
                "models, a file of schema_paths, or a hand-written migration. Objects that exist "
                "anyway belong in a scratch_setup file.",
            )


def render_files(files: NewFiles, proofs: Sequence[Proof] | None = None) -> Iterator[MadeFile]:
    """Yield the files with the results of their proof in the header, if there is one."""
    for number in range(len(files.parts)):
        yield _render(files, number, proofs[number] if proofs is not None else None)


def _render(files: NewFiles, number: int, proof: Proof | None) -> MadeFile:
    part, current, desired = files.parts[number], files.comparison.current, files.comparison.desired
    planned = part.plan
    changed = find_changed_values(proof, planned, current) if proof else ()
    loses = tuple(dict.fromkeys((*planned.up.loses, *changed)))
    tried_without = proof.rows.untried if proof else ()
    untried = tuple(name for name in tried_without if not covers(loses, name))
    fails = failure_on_rows(planned, proof, desired) or (proof and proof.rows.back_fails)
    word = verdict(
        proven=proof is not None,
        reversible=planned.rollback is not None or part.table is not None,
        loses=loses,
        with_rows=not (untried or fails),
    )
    notes = tuple(notes_of(planned, proof, changed, untried, desired))
    place = files.place(number)
    if place is not None and proof is not None:
        allows = tuple((rule, EXPECTED[rule]) for rule in proof.expected)
        place = replace(place, allows=allows)
    header = Header(
        purpose=files.naming.message,
        verdict=word,
        loses=losses_before_renames(planned, changed, current),
        server=proof.server if proof else None,
        notes=notes,
        locks=proof.locks if proof else (),
        place=place,
    )
    return MadeFile(
        name=files.name(number),
        version=files.naming.version(number),
        text=migration_text(header, planned, desired.default_namespace),
        verdict=word,
        proven=proof is not None,
        phase=place.phase if place is not None else None,
        backfill=part.table,
        loses=loses,
        notes=tuple(note.text for note in notes),
        locks=lock_lines(header.locks),
    )
