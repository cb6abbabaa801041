"""A project with two databases, whose files are linted on the session's server."""

from dataclasses import dataclass
from pathlib import Path

from dbwarden.authoring.scratch_session import ScratchSession
from dbwarden.config.database_options import DatabaseConfig
from dbwarden.config.loading import load_project
from dbwarden.files.migration import Migration
from dbwarden.files.parsing import parse
from dbwarden.linting.findings import LintFinding
from dbwarden.linting.running_rules import Choice, check_allowances, judge
from dbwarden.operations.lint import Linter
from tests.integration.lint.cases import NAMING


def configured(root: Path, url: str, scratch: str) -> DatabaseConfig:
    """The database ``primary`` of a project; the database ``other`` has one migration."""
    (root / "dbwarden.py").write_text(
        "from dbwarden import database_config\n"
        f"database_config(database_name='primary', database_url={url!r}, scratch={scratch!r},"
        f" naming={NAMING!r})\n"
        "database_config(database_name='other', database_url='sqlite:///other.db')\n"
    )
    other = root / "migrations" / "other"
    other.mkdir(parents=True)
    (other / "other__0001_first.sql").write_text("-- upgrade\nSELECT 1;\n")
    return load_project(root / "dbwarden.py").database("primary")


@dataclass(slots=True)
class Linting:
    """Lints single files, each after the same base."""

    session: ScratchSession
    base: str

    async def __call__(self, text: str, *rules: str) -> tuple[LintFinding, ...]:
        """Return the findings of *rules* of every severity, without the allowed ones."""
        if "-- upgrade" not in text:
            text = f"-- upgrade\n{text}\n-- rollback\nSELECT 1;\n"
        base, tried = (self._parse(1, f"-- upgrade\n{self.base}"), self._parse(2, text))
        check_allowances([tried])
        choice = Choice(rules=frozenset(rules), severity="info")
        facts = await Linter(self.session, {tried.path}, choice).observe([base, tried])
        found = [finding for file in facts for finding in judge(file, choice)]
        return tuple(finding for finding in found if finding.reason is None)

    def _parse(self, version: int, text: str) -> Migration:
        config = self.session.config
        path = config.migrations_dir / f"primary__{version:04d}_tried.sql"
        kind = config.database_type
        return parse(text, path=path, database=config.files_of, dialect=kind)
