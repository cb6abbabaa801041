"""The promises of diff, on random schemas."""

from hypothesis import given, settings

from dbwarden.diff import diff
from dbwarden.schema import Schema
from tests.unit.diff.applying import apply, plain, refusals
from tests.unit.diff.schemas import schemas


@given(schemas(), schemas())
@settings(max_examples=120, deadline=None)
def test_the_changes_lead_from_one_schema_to_the_other(one: Schema, other: Schema) -> None:
    assert apply(one, diff(one, other)) == plain(other)


@given(schemas(), schemas())
@settings(max_examples=120, deadline=None)
def test_no_change_precedes_its_needs_or_follows_its_dependents(one: Schema, other: Schema) -> None:
    assert refusals(one, other, diff(one, other)) == []


@given(schemas())
@settings(max_examples=100, deadline=None)
def test_a_schema_equals_itself(schema: Schema) -> None:
    assert diff(schema, schema) == ()
