"""The commands of a project, each in its own process."""

import sys
from pathlib import Path

import anyio

from tests.integration.authoring.conftest import Project
from tests.integration.authoring.handwritten import USER


async def run(project: Project, *arguments: str) -> tuple[int, str, str]:
    command = [sys.executable, "-m", "dbwarden", *arguments]
    done = await anyio.run_process(command, cwd=project.root, check=False)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def configure(project: Project, **options: object) -> Path:
    more = "".join(f", {name}={value!r}" for name, value in options.items())
    project.file("shop/__init__.py", "")
    project.file(
        "shop/models.py",
        "from sqlalchemy import *\nfrom sqlalchemy.orm import *\n"
        f"class Base(DeclarativeBase):\n    pass\n{USER}",
    )
    return project.file(
        "dbwarden.py",
        "from dbwarden import database_config\n"
        f"database_config(database_name='primary', default=True, "
        f"database_url={project.server.url(project.database)!r}, model_paths=['shop']{more})\n",
    )
