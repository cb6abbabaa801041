"""Ignore the namespaces of other configured databases in the same PostgreSQL database.

They are no drift, no migration drops them, and ``baseline`` does not write them.
"""

from dbwarden.authoring.collect.set_up import set_up_of
from dbwarden.authoring.scratch_session import ScratchSession
from dbwarden.authoring.subsets import keep_only
from dbwarden.schema import Namespace, ObjectKind, Ref, Schema


async def read_live(session: ScratchSession, files_schema: Schema | None = None) -> Schema:
    """Read the schema of the configured database, without the namespaces of its neighbours.

    Objects of ``scratch_setup`` are as that file defines them. Other objects in their namespaces
    are left out, unless *files_schema*, that of the migration files, has tables there.
    """
    live = await session.authoring_dialect.read_live(session.config)
    setup = await set_up_of(session)
    if setup is not None:
        live = setup.added_to(live, setup.foreign(files_schema))
    project = session.config.project
    if project is None or live.default_namespace is None or not live.of(Namespace):
        return live
    theirs = tuple(project.foreign_namespaces(session.config))

    def stays(ref: Ref) -> bool:
        named = ref.kind in (ObjectKind.NAMESPACE, ObjectKind.DEFAULT_PRIVILEGES)
        name = ref.name if named else ref.namespace
        return not name or not any(pattern.fullmatch(name) for pattern in theirs)

    return keep_only(live, stays) if theirs else live
