"""The promises of diff, on random schemas."""

from hypothesis import given, settings

from dbwarden.diff import diff
from dbwarden.diff.changes import inverse, invert
from dbwarden.schema import Schema
from tests.unit.diff.applying import apply, plain, refusals
from tests.unit.diff.schemas import schemas


@given(schemas(), schemas())
@settings(max_examples=120, deadline=None)
def test_the_changes_lead_from_one_schema_to_the_other(one: Schema, other: Schema) -> None:
    assert apply(one, diff(one, other)) == plain(other)


@given(schemas(), schemas())
@settings(max_examples=120, deadline=None)
def test_no_change_comes_before_what_it_needs_or_after_what_stands_on_it(
    one: Schema, other: Schema
) -> None:
    assert refusals(one, other, diff(one, other)) == []


@given(schemas(), schemas())
@settings(max_examples=80, deadline=None)
def test_the_inverse_leads_back(one: Schema, other: Schema) -> None:
    there = apply(one, diff(one, other))

    assert apply(there, invert(diff(one, other))) == plain(one)


@given(schemas(), schemas())
@settings(max_examples=100, deadline=None)
def test_the_inverse_of_an_inverse_is_the_change_itself(one: Schema, other: Schema) -> None:
    assert [inverse(inverse(change)) for change in diff(one, other)] == list(diff(one, other))


@given(schemas())
@settings(max_examples=100, deadline=None)
def test_a_schema_differs_in_nothing_from_itself(schema: Schema) -> None:
    assert diff(schema, schema) == ()


@given(schemas(), schemas())
@settings(max_examples=50, deadline=None)
def test_the_same_two_schemas_have_the_same_changes_in_the_same_order(
    one: Schema, other: Schema
) -> None:
    assert diff(one, other) == diff(one, other)
