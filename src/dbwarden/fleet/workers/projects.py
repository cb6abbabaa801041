"""Compare the project of a worker with that of the run."""

import hashlib
import sys

from dbwarden import __version__
from dbwarden.config.loading import load_project
from dbwarden.config.project import Project
from dbwarden.errors import DBWardenError
from dbwarden.files.folder import migration_paths
from dbwarden.fleet.documents import Json
from dbwarden.fleet.workers.wire import write_error

_GUARD = "DBWardenGuard"
"""The finder that ``dbwarden_guard.pth`` installs."""


def fingerprint(project: Project) -> str:
    """Return a checksum of the configuration file and all migration files. Blocking."""
    total = hashlib.sha256(project.path.read_bytes())
    for config in project.authors:
        total.update(config.files_of.encode())
        for path in migration_paths(config.migrations_dir, config.files_of):
            total.update(path.name.encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


def describe_worker(path: str) -> Json:
    """Return the version, the import guard and the project at *path* of this process. Blocking.

    The configuration file is run again, because the process may be older than the file.
    """
    guarded = any(type(finder).__name__ == _GUARD for finder in sys.meta_path)
    facts: Json = {"version": __version__, "guarded": guarded, "fingerprint": None, "error": None}
    try:
        facts["fingerprint"] = fingerprint(load_project(path, reload=True))
    except (DBWardenError, OSError) as error:
        known = error if isinstance(error, DBWardenError) else DBWardenError(str(error))
        facts["error"] = write_error(known)
    return facts
