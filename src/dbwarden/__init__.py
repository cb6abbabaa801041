"""Run migrations and sessions on many databases.

The public API is importable from here. Names are imported on first access, so that
``import dbwarden`` is fast.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dbwarden.config.loading import Project as Project
    from dbwarden.config.loading import load_project as load_project
    from dbwarden.config.model import DatabaseConfig as DatabaseConfig
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
    from dbwarden.planning.judging import StatusResult as StatusResult

__version__ = "0.1.0"

_HOMES = {
    "AlembicOptions": "dbwarden.imports.alembic.project",
    "DBWardenError": "dbwarden.errors",
    "DatabaseConfig": "dbwarden.config.model",
    "DjangoOptions": "dbwarden.imports.django.project",
    "Outcome": "dbwarden.fleet",
    "OutcomeState": "dbwarden.fleet",
    "Project": "dbwarden.config.loading",
    "database_config": "dbwarden.library",
    "init": "dbwarden.operations.init",
    "load_project": "dbwarden.config.loading",
    "migrate_all": "dbwarden.fleet",
    "tenant_databases": "dbwarden.library",
}
"""The modules of the public names."""

_RESULTS = {
    "AdoptDriftResult": "dbwarden.operations.adopt_drift",
    "BackfillResult": "dbwarden.operations.backfill",
    "BaselineResult": "dbwarden.operations.baseline",
    "CheckResult": "dbwarden.operations.check",
    "CreateDatabaseResult": "dbwarden.operations.create_database",
    "DatabaseHealth": "dbwarden.operations.health",
    "DiffResult": "dbwarden.operations.diff",
    "GeneratedModels": "dbwarden.operations.generate_models",
    "HistoryResult": "dbwarden.operations.history",
    "ImportResult": "dbwarden.operations.import_drafts",
    "InitResult": "dbwarden.operations.init",
    "LintResult": "dbwarden.operations.lint",
    "LockStatus": "dbwarden.operations.lock",
    "MakeMigrationsResult": "dbwarden.operations.make_migrations",
    "MigrateResult": "dbwarden.operations.migrate",
    "NewResult": "dbwarden.operations.new",
    "RepairResult": "dbwarden.operations.repair",
    "RollbackResult": "dbwarden.operations.rollback",
    "SchemaDiagram": "dbwarden.operations.draw",
    "StatusResult": "dbwarden.planning.judging",
    "UnlockResult": "dbwarden.operations.lock",
    "VerifyResult": "dbwarden.operations.verify",
    "WaitResult": "dbwarden.operations.wait",
}
"""The modules of the types that operations return."""

_OPERATIONS = {
    "adopt_drift": "dbwarden.operations.adopt_drift",
    "backfill": "dbwarden.operations.backfill",
    "backfill_cancel": "dbwarden.operations.backfill",
    "backfill_pause": "dbwarden.operations.backfill",
    "backfill_resume": "dbwarden.operations.backfill",
    "backfill_status": "dbwarden.operations.backfill",
    "baseline": "dbwarden.operations.baseline",
    "baseline_from": "dbwarden.operations.baseline",
    "check": "dbwarden.operations.check",
    "check_models": "dbwarden.operations.diff",
    "create_database": "dbwarden.operations.create_database",
    "draw_schema": "dbwarden.operations.draw",
    "drift": "dbwarden.operations.diff",
    "generate_models": "dbwarden.operations.generate_models",
    "health": "dbwarden.operations.health",
    "history": "dbwarden.operations.history",
    "import_alembic": "dbwarden.operations.import_alembic",
    "import_django": "dbwarden.operations.import_files",
    "import_files": "dbwarden.operations.import_files",
    "lint": "dbwarden.operations.lint",
    "lock_status": "dbwarden.operations.lock",
    "make_migrations": "dbwarden.operations.make_migrations",
    "migrate": "dbwarden.operations.migrate",
    "new": "dbwarden.operations.new",
    "repair": "dbwarden.operations.repair",
    "rollback": "dbwarden.operations.rollback",
    "status": "dbwarden.operations.status",
    "unlock": "dbwarden.operations.lock",
    "verify": "dbwarden.operations.verify",
    "wait": "dbwarden.operations.wait",
}
"""The modules of the operations, which accept the name of a database."""

_FOR_UNLISTED_TENANTS = ("create_database",)
"""The operations that also accept the name of a tenant that is not listed yet."""

__all__ = [*_HOMES, *_RESULTS, *_OPERATIONS, "__version__"]


def __getattr__(name: str) -> object:
    module = _HOMES.get(name) or _RESULTS.get(name) or _OPERATIONS.get(name)
    if module is None:
        raise AttributeError(f"module 'dbwarden' has no attribute {name!r}")
    import importlib

    value = getattr(importlib.import_module(module), name)
    if name in _OPERATIONS:
        from dbwarden.library import by_name

        value = by_name(value, unlisted=name in _FOR_UNLISTED_TENANTS)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
