"""Families of tenants and the projects that declare them."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread

from dbwarden.config.project import Project
from dbwarden.config.registry import (
    DatabaseDeclaration,
    TenantDeclaration,
)
from dbwarden.config.tenants import TenantFamily
from dbwarden.config.validation import validate
from dbwarden.types import Location

ROOT = Path("/project")
PG = "postgresql://ann:hunter2@h/tenant_{tenant_id}"
SQLITE = "sqlite:///data/{tenant_id}.db"


def declared(kind: type[DatabaseDeclaration], line: int, **options: Any) -> DatabaseDeclaration:
    return kind(options=options, location=Location(path=ROOT / "dbwarden.py", line=line))


def family(**options: Any) -> DatabaseDeclaration:
    given = {"name": "tenant_{tenant_id}", "database_url": PG, "tenants": ["a", "b"], **options}
    return declared(TenantDeclaration, 7, **{k: v for k, v in given.items() if v is not ...})


def single(name: str, **options: Any) -> DatabaseDeclaration:
    url = options.pop("database_url", f"postgresql://h/{name}")
    return declared(DatabaseDeclaration, 3, database_name=name, database_url=url, **options)


def problems(*declarations: DatabaseDeclaration) -> str:
    configs, found = validate(declarations, ROOT)
    assert configs == () and found
    assert "hunter2" not in repr(found)
    return "\n".join(found)


def project(*declarations: DatabaseDeclaration) -> Project:
    with ThreadPoolExecutor(1) as thread:  # it looks at the disk, and the tests guard the loop
        entries, found = thread.submit(validate, declarations, ROOT).result()
    assert found == ()
    return Project(path=ROOT / "dbwarden.py", root=ROOT, declared=entries)


def only(loaded: Project) -> TenantFamily:
    (found,) = loaded.families
    return found


class Tenants:
    """Somebody's list, and how often it was asked for."""

    def __init__(self, *ids: str) -> None:
        self.ids: Any = list(ids)
        self.asked = 0
        self.fails: Exception | None = None

    def plain(self) -> Any:
        self.asked += 1
        if self.fails is not None:
            raise self.fails
        return self.ids

    async def slow(self) -> Any:
        await anyio.sleep(0.01)
        return self.plain()

    async def forever(self) -> Any:
        await anyio.sleep_forever()
