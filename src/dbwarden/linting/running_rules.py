"""Judge files by the selected rules. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from dbwarden.config.names import did_you_mean
from dbwarden.errors import MigrationFileError, UsageError
from dbwarden.files.migration import Allowance, Migration
from dbwarden.linting.facts import FileFacts
from dbwarden.linting.findings import SEVERITIES, LintFinding, LintSeverity, is_at_least
from dbwarden.linting.rule import LintRule, RawFinding
from dbwarden.linting.rules import RULES, UNUSED_ALLOW
from dbwarden.linting.sizes import scale_severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The rules that judge, and the least severity that is reported."""

    rules: frozenset[str] = frozenset(RULES)
    severity: LintSeverity = "warning"


def choose(
    select: Sequence[str], ignore: Sequence[str], severity: LintSeverity | None = None
) -> Choice:
    """Return the choice of *select* (all rules if empty) without *ignore*.

    Selected rules report every severity, unless *severity* says otherwise.

    Raises:
        UsageError: A rule or the severity is unknown.
    """
    if severity is not None and severity not in SEVERITIES:
        raise UsageError(
            f"there is no severity {severity!r}", next_step=f"Take one of: {', '.join(SEVERITIES)}."
        )
    for name in (*select, *ignore):
        if name not in RULES:
            raise UsageError(
                f"there is no rule {name!r}{did_you_mean(name, RULES)}",
                next_step=f"The rules are: {', '.join(RULES)}.",
            )
    return Choice(
        rules=frozenset(select or RULES) - frozenset(ignore),
        severity=severity or ("info" if select else "warning"),
    )


def check_allowances(migrations: Iterable[Migration]) -> None:
    """Raise if a file allows an unknown rule.

    Raises:
        MigrationFileError: Names the rule, with file, line and column.
    """
    for migration in migrations:
        for allowance in migration.allows:
            if allowance.rule not in RULES:
                raise MigrationFileError(
                    f"it allows {allowance.rule!r}, but there is no such rule"
                    f"{did_you_mean(allowance.rule, RULES)}",
                    database=migration.database,
                    location=migration.at(allowance.line, allowance.column),
                    next_step=f"The rules are: {', '.join(RULES)}.",
                )


def judge(file: FileFacts, choice: Choice) -> tuple[LintFinding, ...]:
    """Return the findings of one file in the order of their lines, allowed ones included."""
    drafts = [
        (rule, draft)
        for rule in RULES.values()
        if rule.name in choice.rules
        for draft in without_children(file, tuple(rule.find(file)))
    ]
    used: set[Allowance] = set()
    findings = [_finding(file, rule, draft, used) for rule, draft in drafts]
    if UNUSED_ALLOW in choice.rules:
        findings += _unused(file.migration, used, choice)
    order = {name: place for place, name in enumerate(RULES)}
    return tuple(
        sorted(
            (one for one in findings if is_at_least(one.severity, choice.severity)),
            key=lambda one: (one.line, one.column, order[one.rule]),
        )
    )


def without_children(file: FileFacts, drafts: Sequence[RawFinding]) -> Iterator[RawFinding]:
    """Yield *drafts* without those about a partition of a table that a draft is about too."""
    tables = file.observed.before
    parents = {table.name: tables.get(table.parent or "") for table in tables.values()}
    found = {(id(draft.statement), draft.table) for draft in drafts}
    for draft in drafts:
        parent = parents.get(draft.table or "")
        if parent is None or (id(draft.statement), parent.name) not in found:
            yield draft


def _finding(
    file: FileFacts, rule: LintRule, draft: RawFinding, used: set[Allowance]
) -> LintFinding:
    severity, scale = draft.severity or rule.severity, draft.scale or rule.scale
    if file.stats is not None and scale is not None and draft.table is not None:
        severity = scale_severity(severity, scale, draft.table, file.stats)
    at = draft.statement
    finding = LintFinding(
        rule=rule.name,
        severity=severity,
        path=file.migration.path,
        line=at.line if at is not None else 1,
        column=at.column if at is not None else 1,
        message=draft.message,
        next_step=draft.next_step or rule.next_step,
        table=draft.table,
        subject=draft.subject,
    )
    for allowance in file.migration.allows:
        if allowance.rule == rule.name and _covers(file, allowance, draft):
            used.add(allowance)
            finding = replace(finding, reason=finding.reason or allowance.reason)
    return finding


def _covers(file: FileFacts, allowance: Allowance, draft: RawFinding) -> bool:
    """Return whether *allowance* is in the header, or before the statement of *draft*."""
    if allowance.in_header:
        return True
    after = (s for s in file.statements if (s.line, s.column) > (allowance.line, allowance.column))
    return draft.statement is not None and next(after, None) is draft.statement


def _unused(migration: Migration, used: set[Allowance], choice: Choice) -> Iterable[LintFinding]:
    for allowance in migration.allows:
        if allowance not in used and allowance.rule in choice.rules:
            yield LintFinding(
                rule=UNUSED_ALLOW,
                severity=RULES[UNUSED_ALLOW].severity,
                path=migration.path,
                line=allowance.line,
                column=allowance.column,
                message=f"it allows {allowance.rule}, which is not found here",
                next_step=RULES[UNUSED_ALLOW].next_step,
            )
