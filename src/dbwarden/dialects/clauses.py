"""Write the clauses of statements that every database kind has. Pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from dbwarden.schema import ForeignKey, Generated

Settings = Mapping[str, Callable[[Any], str]]
"""The words that set a field to a value, by the name of the field."""


def clause(words: str, value: str | None) -> str:
    """Return *words* with *value* in place of ``{}``; nothing if there is no value."""
    return words.format(value) if value else ""


def generated_clause(generated: Generated, expression: str) -> str:
    """Return ``GENERATED ALWAYS AS ...`` with the *expression* in parentheses."""
    return f"GENERATED ALWAYS AS {expression} {'STORED' if generated.stored else 'VIRTUAL'}"


def default_setting(default: str | None) -> str:
    """Return ``SET DEFAULT ...`` or ``DROP DEFAULT``."""
    return f"SET DEFAULT {default}" if default is not None else "DROP DEFAULT"


def foreign_key_actions(key: ForeignKey, delete_columns: str = "") -> str:
    """Return ``MATCH ... ON UPDATE ... ON DELETE ...``, without what is the default."""
    text = f" MATCH {key.match}" if key.match != "SIMPLE" else ""
    text += f" ON UPDATE {key.on_update}" if key.on_update != "NO ACTION" else ""
    delete = f" ON DELETE {key.on_delete}" if key.on_delete != "NO ACTION" else ""
    return text + delete + (clause(" ({})", delete_columns) if delete else "")


def set_changed(alter: str, before: object, after: object, settings: Settings) -> Iterator[str]:
    """Yield *alter* with the words of *settings* for each field that changes."""
    for name, words in settings.items():
        value = getattr(after, name)
        if value != getattr(before, name):
            yield f"{alter} {words(value)}"
