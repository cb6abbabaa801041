"""Adapt statements that reach beyond a scratch database: to roles, or to a publisher."""

import re
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from itertools import pairwise

from dbwarden.dialects.base import Step
from dbwarden.dialects.postgresql.scratch.scratch_errors import unless_exists
from dbwarden.dialects.postgresql.sql.lexer import located_tokens, tokens, words_of

_ADAPTED = re.compile(
    r"\s*(create|drop|alter)\s+(role|user(?!\s+mapping)|group|subscription)\b", re.IGNORECASE
)

_OPENINGS = {("with", "("), ("set", "(")}


def needs_adapting(step: Step) -> bool:
    """Return whether a statement of *step* reaches beyond its database."""
    return any(adapt(statement.text) != statement.text for statement in step.statements)


def adapted_text(step: Step, *, exclusive: bool) -> str:
    """Return the text of *step*, with adapted statements if it has any."""
    if not needs_adapting(step):
        return step.text
    texts = [adapt(statement.text, exclusive=exclusive) for statement in step.statements]
    return ";\n".join(text for text in texts if text)


def adapt(statement: str, *, exclusive: bool = True) -> str:
    """Return *statement*, or its replacement if it reaches beyond its database.

    Roles belong to the whole server. They are created on an *exclusive* server only, and never
    dropped. Subscriptions get neither a slot nor a connection.
    """
    match = _ADAPTED.match(statement)
    if match is None:
        return statement
    verb, kind = match[1].lower(), match[2].lower()
    if kind == "subscription":
        return _without_publisher(statement)
    if verb == "alter":
        return statement
    return unless_exists(statement) if verb == "create" and exclusive else ""


def _without_publisher(statement: str) -> str:
    """Return a statement about a subscription so that it contacts no publisher."""
    words = words_of([token for token, _, _ in located_tokens(statement)])
    match words[0], *words[3:5]:
        case ["create", *_]:
            forced = {"connect": "false", "slot_name": "NONE"}
            return _with_options(statement, forced, {"enabled", "create_slot", "copy_data"})
        case ["alter", "enable" | "refresh", *_]:
            return ""
        case ["alter", "set" | "add" | "drop", "publication"]:
            return _with_options(statement, {"refresh": "false"}, {"copy_data"})
        case ["alter", "set", "("] if "slot_name" in words:
            return _with_options(statement, {}, {"slot_name"})
        case _:
            return statement


def _with_options(statement: str, forced: Mapping[str, str], removed: AbstractSet[str]) -> str:
    """Return *statement* with the *forced* options, and without the *removed* ones that it has.

    It is empty if it sets no other options.
    """
    located = [*located_tokens(statement)]
    words = words_of([token for token, _, _ in located])
    opening = next((at for at, it in enumerate(pairwise(words), 1) if it in _OPENINGS), None)
    items = [f"{name} = {value}" for name, value in forced.items()]
    if opening is None:
        return f"{statement[: located[-1][2]]} WITH ({', '.join(items)})"
    start = located[opening][2]
    for token, begin, end in located[opening + 1 :]:
        if token.kind == "sign" and token.value in (",", ")"):
            item, start = statement[start:begin].strip(), end
            name = next((it.value.lower() for it in tokens(item)), "")
            items += [item] * (name not in forced.keys() | removed)
    return f"{statement[: located[opening][2]]}{', '.join(items)})" if items else ""
