"""Normalize expressions: blanks, comments, case and quotes do not matter. Pure.

The meaning of a quoted word depends on the columns: SQLite takes ``"abc"`` as a text if there is no
column of that name. So quotes are removed only from the names of known columns.
"""

from collections.abc import Iterable, Mapping, Sequence

from dbwarden.dialects.sqlite.catalog.tokens import Token, find_closing, tokens
from dbwarden.dialects.sqlite.sql.quoting import KEYWORDS, RESERVED, identifier

_OPERATORS = ("LIKE", "GLOB", "MATCH", "REGEXP")
_ALWAYS = RESERVED | {"CURRENT_DATE", "CURRENT_TIME", "CURRENT_TIMESTAMP", "TRUE", "FALSE"}
_TIGHT = {",", ")", "."}
_CALLS_NOTHING = RESERVED | set(_OPERATORS) | {"OVER", "FILTER", "VIRTUAL", "OF", "END"}


def columns_by_name(names: Iterable[str]) -> dict[str, str]:
    """Return the declared names by the form in which SQLite compares them."""
    return {name.lower(): name for name in names}


def expression(text_tokens: Sequence[Token], columns: Mapping[str, str]) -> str:
    """Return the expression *text_tokens* in normalized form, without outer parentheses.

    Args:
        text_tokens: Its tokens.
        columns: The columns that it can name, from :func:`columns_by_name`.
    """
    text_tokens = strip_parentheses(text_tokens)
    return join_spelled(_spelled(text_tokens, columns))


def sql(text: str) -> str:
    """Return a statement or query in normalized form, for comparison only."""
    return " ".join(map(_any_word, tokens(text)))


def columns_in(text_tokens: Sequence[Token], columns: Mapping[str, str]) -> tuple[str, ...]:
    """Return those of *columns* that an expression names, in their order."""
    named = {token.name.lower() for token in text_tokens if token.kind in ("word", "name")}
    return tuple(name for key, name in columns.items() if key in named)


def strip_parentheses(text_tokens: Sequence[Token]) -> Sequence[Token]:
    """Return *text_tokens* without outer parentheses."""
    while (
        len(text_tokens) > 2
        and text_tokens[0].is_("(")
        and find_closing(text_tokens, 0) == len(text_tokens) - 1
    ):
        text_tokens = text_tokens[1:-1]
    return text_tokens


Spelled = tuple[Token, str]


def _any_word(token: Token) -> str:
    """Return any word: keywords in capitals, names without unnecessary quotes."""
    if token.kind in ("word", "name"):
        name = token.name
        return name.upper() if name.upper() in KEYWORDS else identifier(name)
    return _other(token)


def _other(token: Token) -> str:
    match token.text:
        case "==":
            return "="
        case "<>":
            return "!="
        case text:
            return text.lower() if token.kind in ("blob", "number") else text


def _spelled(text_tokens: Sequence[Token], columns: Mapping[str, str]) -> list[Spelled]:
    done: list[Spelled] = []
    cases = 0
    for place, token in enumerate(text_tokens):
        before = text_tokens[place - 1] if place else None
        after = text_tokens[place + 1] if place + 1 < len(text_tokens) else None
        if token.kind == "word":
            cases += 1 if token.is_("CASE") else 0
            ends = cases > 0 and token.is_("END")
            cases -= 1 if ends else 0
            word = token.text.upper() if ends else _word(token, before, after, columns)
            done.append((token, word))
        elif token.kind == "name":
            done.append((token, _name(token, before, after, columns)))
        else:
            done.append((token, _other(token)))
    return done


def _word(
    token: Token, before: Token | None, after: Token | None, columns: Mapping[str, str]
) -> str:
    upper = token.text.upper()
    if upper in _ALWAYS or (upper in _OPERATORS and before is not None and _ends_operand(before)):
        return upper
    if after is not None and after.is_("("):
        return "CAST" if upper == "CAST" else token.text.lower()
    if token.text.lower() in columns:
        return identifier(columns[token.text.lower()])
    return token.text


def _ends_operand(token: Token) -> bool:
    """Return whether an operator can follow *token*."""
    if token.kind == "sign":
        return token.text == ")"
    return token.kind != "word" or token.text.upper() not in RESERVED or token.is_("NOT", "NULL")


def _name(
    token: Token, before: Token | None, after: Token | None, columns: Mapping[str, str]
) -> str:
    if after is not None and after.is_("("):
        return identifier(token.name.lower())
    known = columns.get(token.name.lower())
    if known is not None:
        return identifier(known)
    dotted = (before is not None and before.is_(".")) or (after is not None and after.is_("."))
    if dotted or not token.text.startswith('"'):
        return identifier(token.name)
    return token.text


def join_spelled(text_tokens: Sequence[Spelled]) -> str:
    """Join the texts, with blanks where conventional."""
    parts: list[str] = []
    for place, (token, text) in enumerate(text_tokens):
        if place and _blank(text_tokens, place):
            parts.append(" ")
        parts.append(text)
        del token
    return "".join(parts)


def _blank(text_tokens: Sequence[Spelled], place: int) -> bool:
    """Return whether a blank precedes the token at *place*."""
    (before, word), (token, _) = text_tokens[place - 1], text_tokens[place]
    if token.kind == "sign" and token.text in _TIGHT:
        return False
    if before.kind == "sign" and before.text in ("(", "."):
        return False
    if token.is_("("):
        return before.kind not in ("word", "name") or word.upper() in _CALLS_NOTHING
    return token.kind == "sign" or not _is_unary(text_tokens, place - 1)


def _is_unary(text_tokens: Sequence[Spelled], place: int) -> bool:
    """Return whether the sign at *place* is a unary operator."""
    token = text_tokens[place][0]
    if token.kind != "sign" or token.text not in ("-", "+", "~"):
        return False
    return place == 0 or not _ends_operand(text_tokens[place - 1][0])
