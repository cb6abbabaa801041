"""Random schemas that a database could hold, with their dependencies."""

from dataclasses import replace

from hypothesis import strategies as st

from dbwarden.schema import (
    Check,
    Column,
    Enum,
    ForeignKey,
    Generated,
    Identity,
    Index,
    IndexColumn,
    Namespace,
    ObjectKind,
    Policy,
    PrimaryKey,
    QualifiedName,
    Ref,
    Routine,
    Schema,
    Sequence,
    Table,
    Trigger,
    Unique,
    View,
    ViewColumn,
    ref_of,
)

TABLES = ("a", "b", "c")
COLUMNS = ("w", "x", "y", "z")
MOOD = QualifiedName("public", "mood")
CALC = QualifiedName("public", "calc")
Draw = st.DrawFn


def named(name: str) -> QualifiedName:
    return QualifiedName("public", name)


@st.composite
def columns(draw: Draw, enum: bool, function: bool) -> Column:
    types = ["integer", "bigint", "text", *(["mood"] if enum else [])]
    type_ = draw(st.sampled_from(types))
    values: list[str | None] = [None, "1", *(["calc()"] if function else [])]
    generated = draw(st.sampled_from([None, None, None, Generated(expression="(1 + 1)")]))
    identity = draw(st.sampled_from([None, None, Identity(always=True)]))
    identity = identity if type_ in ("integer", "bigint") else None
    plain = identity is None and generated is None
    return Column(
        name=draw(st.sampled_from(COLUMNS)),
        type=type_,
        not_null=draw(st.booleans()),
        default=draw(st.sampled_from(values)) if plain else None,
        generated=generated if identity is None else None,
        identity=identity,
        comment=draw(st.sampled_from([None, "said"])),
    )


@st.composite
def tables(draw: Draw, name: str, enum: bool, function: bool) -> Table:
    made = draw(
        st.lists(columns(enum, function), min_size=1, max_size=4, unique_by=lambda c: c.name)
    )
    names = [column.name for column in made]
    some = st.sampled_from(names)
    key = draw(st.none() | st.builds(lambda c: PrimaryKey(name=f"{name}_pkey", columns=(c,)), some))
    uniques = draw(
        st.lists(
            st.builds(lambda c: Unique(name=f"{name}_{c}_key", columns=(c,)), some), max_size=2
        )
    )
    checks = draw(st.lists(some, max_size=1))
    indexes = draw(st.lists(some, max_size=2, unique=True))
    suffix = draw(st.sampled_from(["ix", "jx"]))
    return Table(
        name=named(name),
        columns=tuple(made),
        primary_key=key,
        uniques=tuple({unique.name: unique for unique in uniques}.values()),
        checks=tuple(
            Check(name=f"{name}_check", expression=f"({column} > 0)", columns=(column,))
            for column in checks
        ),
        indexes=tuple(
            Index(name=f"{name}_{column}_{suffix}", columns=(IndexColumn(column=column),))
            for column in indexes
        ),
        comment=draw(st.sampled_from([None, "said"])),
        row_security=draw(st.booleans()),
    )


@st.composite
def schemas(draw: Draw) -> Schema:
    """A schema of a few tables and what stands on them."""
    enum, function = draw(st.booleans()), draw(st.booleans())
    names = draw(st.lists(st.sampled_from(TABLES), unique=True))
    made = [draw(tables(name, enum, function)) for name in names]
    made = [draw(_with_keys(table, made)) for table in made]
    values = draw(st.sampled_from([("a",), ("a", "b"), ("b", "a"), ("c", "a", "b")]))
    schema = Schema(
        tables=tuple(sorted(made, key=lambda table: table.name)),
        objects=(
            *((Enum(name=MOOD, values=values),) if enum else ()),
            Namespace(name="public"),
            *((draw(_routines()),) if function else ()),
        ),
    )
    schema = draw(_with_code(schema))
    return replace(schema, dependencies=tuple(_dependencies(schema)))


def _routines() -> st.SearchStrategy[Routine]:
    return st.sampled_from(
        [
            Routine(name=CALC, identity="", arguments="", returns=returns, definition=body)
            for returns, body in (("integer", "one"), ("integer", "two"), ("bigint", "one"))
        ]
    )


@st.composite
def _with_keys(draw: Draw, table: Table, others: list[Table]) -> Table:
    keys = []
    for other in others:
        targets = _keys(other)
        if bool(targets) and draw(st.booleans()):
            target = draw(st.sampled_from(targets))
            own = draw(st.sampled_from([column.name for column in table.columns]))
            keys.append(
                ForeignKey(
                    name=f"{table.name.name}_{other.name.name}_fkey",
                    columns=(own,),
                    references=other.name,
                    referred_columns=target.columns,
                    on_delete=draw(st.sampled_from(["NO ACTION", "CASCADE"])),
                )
            )
    return replace(table, foreign_keys=tuple(keys))


@st.composite
def _with_code(draw: Draw, schema: Schema) -> Schema:
    views: list[View] = []
    triggers: list[Trigger] = []
    policies: list[Policy] = []
    sequences: list[Sequence] = []
    for table in schema.tables:
        name, column = table.name.name, draw(st.sampled_from(table.columns))
        if draw(st.booleans()):
            shown = ViewColumn(name=column.name, type=column.type)
            text = f"SELECT {column.name} FROM {name}"
            views.append(View(name=named(f"v_{name}"), definition=text, columns=(shown,)))
        if bool(schema.of(Routine)) and draw(st.booleans()):
            triggers.append(Trigger(name="g", table=table.name, definition=f"{column.name} calc"))
        if draw(st.booleans()):
            policies.append(Policy(name="p", table=table.name, using=f"({column.name} > 0)"))
        if draw(st.booleans()):
            owner = draw(st.sampled_from([None, table.column_ref(column.name)]))
            sequences.append(Sequence(name=named(f"s_{name}"), owned_by=owner))
    return schema.with_objects((*schema.objects, *views, *triggers, *policies, *sequences))


def _dependencies(schema: Schema) -> list[tuple[Ref, Ref]]:
    """What pg_depend would say."""
    found = []
    calc = ref_of(ObjectKind.ROUTINE, CALC, "")
    for table in schema.tables:
        for column in table.columns:
            own = table.column_ref(column.name)
            if column.type == "mood":
                found.append((own, ref_of(ObjectKind.ENUM, MOOD)))
            if column.default == "calc()":
                found.append((ref_of(ObjectKind.DEFAULT, table.name, column.name), calc))
        for key in table.foreign_keys:
            found += [(key.ref_in(table.name), _target(schema, key))]
        found += [(index.ref_in(table.name), table.ref) for index in table.indexes]
    for view in schema.of(View):
        base = named(view.name.name.removeprefix("v_"))
        found.append((view.ref, ref_of(ObjectKind.COLUMN, base, view.columns[0].name)))
    for trigger in schema.of(Trigger):
        found.append((trigger.ref, calc))
        read = trigger.definition.partition(" ")[0]
        found.append((trigger.ref, ref_of(ObjectKind.COLUMN, trigger.table, read)))
    for policy in schema.of(Policy):
        checked = (policy.using or "")[1:2]
        found.append((policy.ref, ref_of(ObjectKind.COLUMN, policy.table, checked)))
    return found


def _keys(table: Table) -> list[Unique | PrimaryKey]:
    keys: list[Unique | PrimaryKey] = [*table.uniques]
    if table.primary_key is not None:
        keys.append(table.primary_key)
    return keys


def _target(schema: Schema, key: ForeignKey) -> Ref:
    table = schema.table(key.references)
    assert table is not None
    target = next(item for item in _keys(table) if item.columns == key.referred_columns)
    return target.ref_in(table.name)
