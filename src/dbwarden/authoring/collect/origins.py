"""Map the SQL of models back to the models: which table a statement is for, and where it is."""

import ast
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Constraint, ForeignKeyConstraint, Index, Table
from sqlalchemy.types import SchemaType

from dbwarden.authoring.collect.models import Home, OwnedMetadata, target_of
from dbwarden.authoring.collect.modules import in_project
from dbwarden.schema import ObjectKind, QualifiedName, Ref, ref_of
from dbwarden.types import Location


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelOrigin:
    """The part of the models that a statement comes from.

    ``refs`` are the objects that the statement creates; the namespace ``None`` is the default one.
    ``table`` is the table that it belongs to, ``needs`` are the targets of its foreign keys, and
    ``tables`` are the tables that cannot be built without the statement.
    """

    what: str
    place: Callable[[], Location | None] | None = field(default=None, repr=False, compare=False)
    refs: tuple[Ref, ...] = ()
    table: QualifiedName | None = None
    needs: tuple[QualifiedName, ...] = ()
    tables: tuple[QualifiedName, ...] = ()

    @property
    def location(self) -> Location | None:
        """The line of the definition. Reads the modules."""
        return self.place() if self.place is not None else None


def name_of(table: Table) -> QualifiedName:
    """Return the name of *table*; its namespace is ``None`` where the model gives none."""
    return QualifiedName(table.schema, str(table.name))


def leads_to(table: Table, names: AbstractSet[QualifiedName]) -> bool:
    """Return whether a foreign key of *table* leads to one of the tables *names*."""
    return any(target in names for target in _targets(table.foreign_key_constraints))


def _targets(constraints: Iterable[Constraint]) -> Iterator[QualifiedName]:
    for constraint in constraints:
        for key in constraint.elements if isinstance(constraint, ForeignKeyConstraint) else ():
            namespace, _, name = target_of(key, key.parent.table.metadata).rpartition(".")
            yield QualifiedName(namespace or None, name)


class Origins:
    """Find the origin of what SQLAlchemy executes for one MetaData."""

    def __init__(self, root: Path, item: OwnedMetadata) -> None:
        """Take the models of *item*, in the project whose folder is *root*."""
        self._root = root
        self._item = item

    def of(self, element: object) -> ModelOrigin:
        """Return the origin of *element*; inside a DDL event, the line that executes it."""
        obj = getattr(element, "element", None)
        match obj:
            case Table():
                inline = getattr(element, "include_foreign_key_constraints", None)
                return self.of_table(obj, inline)
            case Index() if isinstance(obj.table, Table):
                return self.of_index(obj)
            case Constraint() if isinstance(table := getattr(obj, "table", None), Table):
                return self._of_constraint(obj, table)
            case Column() if isinstance(obj.table, Table):
                return self.of_table(obj.table)
            case SchemaType():
                return self._of_type(obj)
        target = getattr(element, "target", None)
        if isinstance(target, Table):
            owner = self.of_table(target)
            return replace(owner, what=f"a DDL event of {owner.what}")
        running = self._running()
        return ModelOrigin(what="a DDL event", place=lambda: running)

    def of_table(
        self, table: Table, keys: Iterable[ForeignKeyConstraint] | None = None
    ) -> ModelOrigin:
        """Return the origin of *table*, created with *keys* or with all its foreign keys."""
        name = name_of(table)
        return ModelOrigin(
            what=f"table {table.fullname}",
            place=partial(self._place, table),
            refs=(ref_of(ObjectKind.TABLE, name),),
            table=name,
            needs=tuple(_targets(table.foreign_key_constraints if keys is None else keys)),
            tables=(name,),
        )

    def of_index(self, index: Index) -> ModelOrigin:
        """Return the origin of *index*, which its table does not need."""
        table: Any = index.table
        name = f"index {index.name}" if index.name is not None else "an index"
        return ModelOrigin(
            what=f"{name} of table {table.fullname}",
            place=partial(self._place, table),
            refs=(Ref(ObjectKind.INDEX, table.schema, str(index.name)),),
            table=name_of(table),
        )

    def _of_constraint(self, constraint: Constraint, table: Table) -> ModelOrigin:
        if constraint.name is None:
            return self.of_table(table)
        name = str(constraint.name)
        return ModelOrigin(
            what=f"constraint {name} of table {table.fullname}",
            place=partial(self._place, table),
            refs=(ref_of(ObjectKind.CONSTRAINT, name_of(table), name),),
            table=name_of(table),
            needs=tuple(_targets([constraint])),
        )

    def _of_type(self, type_: SchemaType) -> ModelOrigin:
        users = [table for table in self._item.tables if any(_uses(table, type_))]
        name = str(getattr(type_, "name", None))
        return ModelOrigin(
            what=f"type {name}" + (f" of table {users[0].fullname}" if users else ""),
            place=partial(self._place, users[0]) if users else None,
            refs=(
                Ref(ObjectKind.ENUM, getattr(type_, "schema", None), name),
                *(ref_of(ObjectKind.TABLE, name_of(table)) for table in users),
            ),
            tables=tuple(map(name_of, users)),
        )

    def _place(self, table: Table) -> Location | None:
        home = self._item.homes.get(table.fullname)
        return place_of_table(table, home) if home is not None else None

    def _running(self) -> Location | None:
        """Return the line of the project that is executing SQL now."""
        frames = [it for it in traceback.extract_stack() if in_project(self._root, it.filename)]
        return Location(path=Path(frames[-1].filename), line=frames[-1].lineno) if frames else None


def _uses(table: Table, type_: SchemaType) -> Iterable[bool]:
    name = (getattr(type_, "schema", None), getattr(type_, "name", None))
    for column in table.columns:
        inner = getattr(column.type, "item_type", column.type)
        yield (getattr(inner, "schema", None), getattr(inner, "name", None)) == name


def place_of_table(table: Table, home: Home) -> Location | None:
    """Return the line of the class, or of the ``Table(...)``, that defines *table*."""
    module = sys.modules.get(home.module)
    file = getattr(module, "__file__", None)
    if module is None or file is None or not str(file).endswith(".py"):
        return None
    try:
        nodes = list(ast.walk(ast.parse(Path(file).read_bytes())))
    except (OSError, SyntaxError):
        return Location(path=Path(file))
    classes = (it for it in nodes if isinstance(it, ast.ClassDef) and it.name == home.class_name)
    class_ = next(classes, None)
    line = class_.lineno if class_ is not None else _call_line(nodes, table, vars(module))
    return Location(path=Path(file), line=line)


def _call_line(nodes: Sequence[ast.AST], table: Table, values: Mapping[str, Any]) -> int | None:
    """Return the line that assigns *table*, or else of the first call that gets its name."""
    for node in nodes:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                if values.get(name) is table:
                    return node.lineno
    for node in nodes:
        match node:
            case ast.Call(args=[ast.Constant(value=table.name), *_]):
                return node.lineno
    return None
