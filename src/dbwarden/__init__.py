"""Run migrations and sessions on many databases.

The public API is importable from here. Names are imported on first access, so that
``import dbwarden`` is fast.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dbwarden.config.database_options import DatabaseConfig as DatabaseConfig
    from dbwarden.config.loading import Project as Project
    from dbwarden.config.loading import load_project as load_project
    from dbwarden.errors import DBWardenError as DBWardenError
    from dbwarden.fleet import Outcome as Outcome
    from dbwarden.fleet import OutcomeState as OutcomeState
    from dbwarden.fleet import migrate_all as migrate_all
    from dbwarden.imports.alembic.project import AlembicOptions as AlembicOptions
    from dbwarden.imports.django.project import DjangoOptions as DjangoOptions
    from dbwarden.library import database_config as database_config
    from dbwarden.library import tenant_databases as tenant_databases
    from dbwarden.operations.adopt_drift import AdoptDriftResult as AdoptDriftResult
    from dbwarden.operations.adopt_drift import adopt_drift as adopt_drift
    from dbwarden.operations.backfill import BackfillResult as BackfillResult
    from dbwarden.operations.backfill import backfill as backfill
    from dbwarden.operations.backfill import backfill_cancel as backfill_cancel
    from dbwarden.operations.backfill import backfill_pause as backfill_pause
    from dbwarden.operations.backfill import backfill_resume as backfill_resume
    from dbwarden.operations.backfill import backfill_status as backfill_status
    from dbwarden.operations.baseline import BaselineResult as BaselineResult
    from dbwarden.operations.baseline import baseline as baseline
    from dbwarden.operations.baseline import baseline_from as baseline_from
    from dbwarden.operations.check import CheckResult as CheckResult
    from dbwarden.operations.check import check as check
    from dbwarden.operations.create_database import CreateDatabaseResult as CreateDatabaseResult
    from dbwarden.operations.create_database import create_database as create_database
    from dbwarden.operations.diff import DiffResult as DiffResult
    from dbwarden.operations.diff import check_models as check_models
    from dbwarden.operations.diff import drift as drift
    from dbwarden.operations.draw import SchemaDiagram as SchemaDiagram
    from dbwarden.operations.draw import draw_schema as draw_schema
    from dbwarden.operations.generate_models import GeneratedModels as GeneratedModels
    from dbwarden.operations.generate_models import generate_models as generate_models
    from dbwarden.operations.health import DatabaseHealth as DatabaseHealth
    from dbwarden.operations.health import health as health
    from dbwarden.operations.history import HistoryResult as HistoryResult
    from dbwarden.operations.history import history as history
    from dbwarden.operations.import_alembic import import_alembic as import_alembic
    from dbwarden.operations.import_drafts import ImportResult as ImportResult
    from dbwarden.operations.import_files import import_django as import_django
    from dbwarden.operations.import_files import import_files as import_files
    from dbwarden.operations.init import InitResult as InitResult
    from dbwarden.operations.init import init as init
    from dbwarden.operations.lint import LintResult as LintResult
    from dbwarden.operations.lint import lint as lint
    from dbwarden.operations.lock import LockStatus as LockStatus
    from dbwarden.operations.lock import UnlockResult as UnlockResult
    from dbwarden.operations.lock import lock_status as lock_status
    from dbwarden.operations.lock import unlock as unlock
    from dbwarden.operations.make_migrations import MakeMigrationsResult as MakeMigrationsResult
    from dbwarden.operations.make_migrations import make_migrations as make_migrations
    from dbwarden.operations.migrate import MigrateResult as MigrateResult
    from dbwarden.operations.migrate import migrate as migrate
    from dbwarden.operations.new import NewResult as NewResult
    from dbwarden.operations.new import new as new
    from dbwarden.operations.repair import RepairResult as RepairResult
    from dbwarden.operations.repair import repair as repair
    from dbwarden.operations.rollback import RollbackResult as RollbackResult
    from dbwarden.operations.rollback import rollback as rollback
    from dbwarden.operations.status import status as status
    from dbwarden.operations.verify import VerifyResult as VerifyResult
    from dbwarden.operations.verify import verify as verify
    from dbwarden.operations.wait import WaitResult as WaitResult
    from dbwarden.operations.wait import wait as wait
    from dbwarden.planning.status_result import StatusResult as StatusResult

__version__ = "0.1.0"

_NAMES: dict[str, tuple[str, ...]] = {
    "config.loading": ("Project", "load_project"),
    "config.database_options": ("DatabaseConfig",),
    "errors": ("DBWardenError",),
    "fleet": ("Outcome", "OutcomeState", "migrate_all"),
    "imports.alembic.project": ("AlembicOptions",),
    "imports.django.project": ("DjangoOptions",),
    "library": ("database_config", "tenant_databases"),
    "operations.adopt_drift": ("AdoptDriftResult", "adopt_drift"),
    "operations.backfill": (
        "BackfillResult",
        "backfill",
        "backfill_cancel",
        "backfill_pause",
        "backfill_resume",
        "backfill_status",
    ),
    "operations.baseline": ("BaselineResult", "baseline", "baseline_from"),
    "operations.check": ("CheckResult", "check"),
    "operations.create_database": ("CreateDatabaseResult", "create_database"),
    "operations.diff": ("DiffResult", "check_models", "drift"),
    "operations.draw": ("SchemaDiagram", "draw_schema"),
    "operations.generate_models": ("GeneratedModels", "generate_models"),
    "operations.health": ("DatabaseHealth", "health"),
    "operations.history": ("HistoryResult", "history"),
    "operations.import_alembic": ("import_alembic",),
    "operations.import_drafts": ("ImportResult",),
    "operations.import_files": ("import_django", "import_files"),
    "operations.init": ("InitResult", "init"),
    "operations.lint": ("LintResult", "lint"),
    "operations.lock": ("LockStatus", "UnlockResult", "lock_status", "unlock"),
    "operations.make_migrations": ("MakeMigrationsResult", "make_migrations"),
    "operations.migrate": ("MigrateResult", "migrate"),
    "operations.new": ("NewResult", "new"),
    "operations.repair": ("RepairResult", "repair"),
    "operations.rollback": ("RollbackResult", "rollback"),
    "operations.status": ("status",),
    "operations.verify": ("VerifyResult", "verify"),
    "operations.wait": ("WaitResult", "wait"),
    "planning.status_result": ("StatusResult",),
}
"""The public names of each module."""

_HOMES = {name: module for module, names in _NAMES.items() for name in names}

__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> object:
    module = _HOMES.get(name)
    if module is None:
        raise AttributeError(f"module 'dbwarden' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(f"dbwarden.{module}"), name)
    if module.startswith("operations.") and name.islower() and name != "init":
        # An operation, which accepts the name of a database.
        from dbwarden.library import by_name

        # Only create_database also accepts the name of a tenant that is not listed yet.
        value = by_name(value, unlisted=name == "create_database")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
