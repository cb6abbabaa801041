"""Hide secrets, and mask them in foreign text.

A :class:`Secret` hides its value from every repr, log, JSON document and traceback. ``redact``
masks secrets in text that dbwarden did not write, such as the message of a driver, a server or the
project's code. It replaces the passwords known in this process and any text that looks like one.
``mask_sql`` does so in a statement of a migration file. dbwarden's messages contain no secret and
are never redacted.
"""

import json
import os
import re
from collections.abc import Iterable, Iterator
from typing import Any, Generic, NoReturn, Self, TypeVar
from urllib.parse import quote, quote_plus, unquote

T = TypeVar("T")
E = TypeVar("E", bound=BaseException)

MASK = "***"


class Secret(Generic[T]):
    """A value that only :meth:`reveal` shows. It is equal to its value and cannot be pickled."""

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def reveal(self) -> T:
        """Return the value itself."""
        return self._value

    def __eq__(self, other: object) -> bool:
        return self._value == (other._value if isinstance(other, Secret) else other)

    def __hash__(self) -> int:
        return hash(self._value)

    def __repr__(self) -> str:
        return MASK

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret does not leave its process: it cannot be pickled")


def as_secret(value: T | Secret[T]) -> Secret[T]:
    """Return *value* as a secret, unchanged if it is one."""
    return value if isinstance(value, Secret) else Secret(value)


# -- known secrets ----------------------------------------------------------------------------

_MAX_KNOWN = 10_000
_known: dict[str, tuple[str, ...]] = {}
"""Each known password with its encoded forms."""
_SHORTEST, _LONGEST = 4, 4096
_WORDS = frozenset(
    {"admin", "database", "password", "postgres", "postgresql", "root", "secret", "test", "user"}
)
"""Passwords that are common words; masking them would garble messages and hide nothing."""

_SECRET_NAME = re.compile(
    r"(?:pass|passw(?:or)?d|pwd|passphrase|secret|token|credentials?|(?:api|secret|access)_?key)$",
    re.IGNORECASE,
)
"""Names of variables that hold a secret."""

_CREDENTIALS = re.compile(r"(\w://[^\s:/@]*):([^\n]*)@")


def remember(password: str) -> None:
    """Add *password* to the secrets that :func:`redact` masks."""
    _known[password] = _known.pop(password, ()) or _forms(password)
    while len(_known) > _MAX_KNOWN:
        del _known[next(iter(_known))]


def _of_variables(variables: Iterable[tuple[str, object]]) -> Iterator[str]:
    """Yield the passwords in URLs, and the values of variables that are named like secrets."""
    for name, value in variables:
        if not isinstance(value, str) or len(value) > _LONGEST:
            continue
        if (match := _CREDENTIALS.search(value)) is not None:
            yield from (match[2], unquote(match[2]))
        elif _SECRET_NAME.search(name):
            yield value


def _of_frames(error: BaseException) -> Iterator[str]:
    from traceback import walk_tb  # imports what only errors need

    for each in _chain(error):
        for frame, _ in walk_tb(each.__traceback__):
            yield from _of_variables(tuple(frame.f_locals.items()))


# -- foreign text -----------------------------------------------------------------------------

_KEYWORD = re.compile(
    r"((?:password|passwd|pwd|passphrase|secret|api_?key|access_?token)\w*['\"]?\s*[=:])[^\n]+"
    r"|((?<![A-Za-z])token\w*\s*=)[^\n]+",
    re.IGNORECASE,
)


def redact(text: str, *, extra: Iterable[str] = ()) -> str:
    """Mask every password in *text*, which dbwarden did not write.

    Known passwords (those of URLs that were read, of the environment, and *extra*) are masked
    everywhere, also percent-encoded or escaped. Text that only looks like a password, in a URL or
    after ``password=``, is masked up to the last position where it can end.
    """
    others = {*_of_variables(os.environ.items()), *extra}
    known_forms = [*_known.values(), *map(_forms, others)]
    matches = {form for forms in known_forms for form in forms if form in text}
    for form in sorted(matches, key=len, reverse=True):
        exact = re.escape(form)
        # A short form is masked only as a whole word.
        text = re.sub(exact if len(form) > 5 else rf"(?<!\w){exact}(?!\w)", MASK, text)
    return _KEYWORD.sub(_mask_value, _CREDENTIALS.sub(rf"\1:{MASK}@", text))


_PASSWORD_LITERAL = re.compile(r"((?<!\w)password\s+(?:E|U&)?)'(?:[^']|'')*'", re.IGNORECASE)
_LITERAL = re.compile(r"'(?:[^']|'')*'")
_CONNECTION_PASSWORD = re.compile(
    r"((?<!\w)(?:ssl)?password\s*=\s*)(?:''.*?''|[^\s'&]+)", re.IGNORECASE
)


def mask_sql(sql: str) -> str:
    """Mask the passwords of roles and user mappings in *sql*, and those of connection strings."""
    return _LITERAL.sub(_mask_literal, _PASSWORD_LITERAL.sub(rf"\1'{MASK}'", sql))


def _mask_literal(match: re.Match[str]) -> str:
    text = _CREDENTIALS.sub(rf"\1:{MASK}@", match[0])
    return _CONNECTION_PASSWORD.sub(rf"\1{MASK}", text)


def _forms(secret: str) -> tuple[str, ...]:
    """Return the plain, escaped and encoded forms of *secret*; none if it is a common word."""
    if len(secret) < _SHORTEST or secret.lower() in _WORDS:
        return ()
    escaped = (repr(secret)[1:-1], json.dumps(secret)[1:-1])
    encoded = (quote(secret), quote(secret, safe=""), quote_plus(secret))
    return tuple({secret, *encoded, *escaped})


def _mask_value(match: re.Match[str]) -> str:
    return f"{match[1] or match[2]} {MASK}" if not match[0].endswith(MASK) else match[0]


def describe_error(error: BaseException) -> str:
    """Return type and message of an error that dbwarden did not raise, without secrets.

    Variables of its frames that are named like secrets are masked too.
    """
    text = f"{type(error).__name__}: {error}".rstrip(": ")
    return redact(text, extra=tuple(_of_frames(error)))


# -- exceptions -------------------------------------------------------------------------------


def without_frames(error: E) -> E:
    """Remove the frames of *error* and of its causes, because their variables contain secrets."""
    for each in _chain(error):
        each.__traceback__ = None
    return error


def clean_cause(error: E) -> E | None:
    """Return *error* without its frames, or ``None`` if its message contains a secret."""
    extra = tuple(_of_frames(error))
    chain = tuple(_chain(error))
    texts = [str(text) for each in chain for text in (each, repr(each), *_notes(each))]
    without_frames(error)
    return error if all(redact(text, extra=extra) == text for text in texts) else None


def _notes(error: BaseException) -> Iterable[Any]:
    return getattr(error, "__notes__", ())


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield *error*, its causes and contexts, and the members of groups, without duplicates."""
    waiting: list[BaseException | None] = [error]
    seen: set[int] = set()
    while waiting:
        each = waiting.pop()
        if each is None or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        members = each.exceptions if isinstance(each, BaseExceptionGroup) else ()
        waiting += [each.__cause__, each.__context__, *members]
