"""Load a project's configuration file again after a test has written it."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

from dbwarden.config.loading import load_project
from dbwarden.errors import ConfigurationError


def reload_project(path: Path) -> None:
    """Run the file *path* again, in a thread because the test may have an event loop.

    A problem of the file is reported when the program under test loads it.
    """
    with suppress(ConfigurationError), ThreadPoolExecutor(1) as thread:
        thread.submit(partial(load_project, path, reload=True)).result()
