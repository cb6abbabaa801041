"""Keeps a project's ``dbwarden.py`` from hiding the package ``dbwarden``.

A project calls its configuration file ``dbwarden.py``. Where the project's folder comes first on
``sys.path`` (uvicorn, ``python -m``, pytest, scripts), ``import dbwarden`` would find that file.
The one line of ``dbwarden_guard.pth``, which Python's ``site`` runs at each start, puts a finder
in front of all others that asks this module about the one name ``dbwarden``, and only when that
is imported: the line imports nothing itself, and without this module it does nothing.
"""

import sys
from importlib.machinery import ModuleSpec, PathFinder


def find_package() -> ModuleSpec | None:
    """Return the first *package* ``dbwarden`` on ``sys.path``; skip single files of that name.

    Return ``None`` if there is none. Python then searches as it would without this module.
    """
    for entry in sys.path:
        spec = PathFinder.find_spec("dbwarden", [entry])
        # A single file has no search locations; a folder without __init__.py has no origin.
        if spec is not None and spec.submodule_search_locations and spec.origin:
            return spec
    return None
