"""Step through tokens, and parse the key lists that several statements share. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from dbwarden.dialects.sqlite.catalog.tokens import Token, Unreadable, find_closing, tokens

Tokens = Sequence[Token]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyClause:
    """One key of a primary key, unique constraint or index: its tokens, collation and order."""

    value: Tokens
    collation: str | None = None
    descending: bool = False


class TokenCursor:
    """A position in a sequence of tokens."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = tokens(text)
        self._keys = tuple(token.key for token in self.tokens)
        self.place = 0

    @property
    def ahead(self) -> Token | None:
        """The next token, or ``None`` at the end."""
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def is_at(self, *words: str) -> bool:
        """Return whether the next tokens are these words or signs, in order."""
        return self._keys[self.place : self.place + len(words)] == words

    def take(self, *words: str) -> bool:
        """Step over *words* if they are next, and return whether they were."""
        if self._keys[self.place : self.place + len(words)] != words:
            return False
        self.place += len(words)
        return True

    def expect(self, *words: str) -> None:
        """Step over *words*, which must be next."""
        if not self.take(*words):
            raise self.unexpected()

    def next(self) -> Token:
        """Step over one token."""
        token = self.ahead
        if token is None:
            raise self.unexpected()
        self.place += 1
        return token

    def name(self) -> str:
        """Step over a name."""
        token = self.ahead
        if token is None or token.kind not in ("word", "name", "string"):
            raise self.unexpected()
        self.place += 1
        return token.name

    def qualified_name(self) -> str:
        """Step over a name, optionally qualified with a database."""
        name = self.name()
        return self.name() if self.take(".") else name

    def take_one_of(self, *words: str) -> str:
        """Step over one of *words*, which must be next, and return it."""
        for word in words:
            if self.take(word):
                return word
        raise self.unexpected()

    def take_parentheses(self) -> Tokens:
        """Step over ``( ... )`` and return the tokens inside."""
        if not self.is_at("("):
            raise self.unexpected()
        end = find_closing(self.tokens, self.place)
        inside = self.tokens[self.place + 1 : end]
        self.place = end + 1
        return inside

    def conflict(self) -> str | None:
        """Step over an optional ``ON CONFLICT ...`` and return its action unless it is ABORT."""
        if not self.take("ON", "CONFLICT"):
            return None
        word = self.take_one_of("ROLLBACK", "ABORT", "FAIL", "IGNORE", "REPLACE")
        return None if word == "ABORT" else word

    def unexpected(self) -> Unreadable:
        """Return the error about the next token."""
        token = self.ahead
        if token is None:
            return Unreadable("it ends too early")
        return Unreadable(f"{self.text[token.start : token.start + 40]!r} was not expected")


def parse_key(text_tokens: Tokens) -> KeyClause:
    """Parse one key: its value, ``COLLATE``, ``ASC`` or ``DESC``."""
    descending = bool(text_tokens) and text_tokens[-1].is_("DESC")
    if text_tokens and text_tokens[-1].is_("ASC", "DESC"):
        text_tokens = text_tokens[:-1]
    collation = None
    if len(text_tokens) > 2 and text_tokens[-2].is_("COLLATE"):
        collation, text_tokens = text_tokens[-1].name, text_tokens[:-2]
    if not text_tokens:
        raise Unreadable("a key is empty")
    return KeyClause(value=text_tokens, collation=collation, descending=descending)


def parse_keys(text_tokens: Tokens) -> tuple[KeyClause, ...]:
    """Parse the keys of a list without its parentheses."""
    return tuple(parse_key(part) for part in split_at_commas(text_tokens))


def split_at_commas(text_tokens: Tokens) -> list[Tokens]:
    """Split *text_tokens* at its commas."""
    parts: list[Tokens] = []
    depth = start = 0
    for place, token in enumerate(text_tokens):
        if token.key in ("(", ")"):
            depth += 1 if token.key == "(" else -1
        elif token.key == "," and depth == 0:
            parts.append(text_tokens[start:place])
            start = place + 1
    return [*parts, text_tokens[start:]]
