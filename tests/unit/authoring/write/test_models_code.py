"""Text of generated models."""

from dbwarden.authoring.write.models_code import escaped


def test_colons_are_kept_from_becoming_parameters() -> None:
    assert escaped("'{\"a\":1}'::jsonb") == "'{\"a\"\\:1}'::jsonb"
    assert escaped("x::text") == "x::text"
