"""Text of generated models."""

from dbwarden.authoring.write.models_code import escape_text


def test_colons_are_kept_from_becoming_parameters() -> None:
    assert escape_text("'{\"a\":1}'::jsonb") == "'{\"a\"\\:1}'::jsonb"
    assert escape_text("x::text") == "x::text"
