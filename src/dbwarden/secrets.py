"""Values that must not be shown, and text of others without them.

A :class:`Secret` hides its value from every repr, log, JSON document and traceback. ``redact``
masks secrets in text that dbwarden did not write: the message of a driver, of a server, or of the
project's own code. It replaces the passwords that are known in this process, and whatever looks
like one. dbwarden's own sentences hold no secret and are never redacted.
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
    """A value that only :meth:`reveal` shows. It equals its value, and does not pickle."""

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


def hidden(value: T | Secret[T]) -> Secret[T]:
    """Return *value* as a secret, which it may be already."""
    return value if isinstance(value, Secret) else Secret(value)


# -- the secrets that are known ---------------------------------------------------------------

_MOST_KNOWN = 10_000
_known: dict[str, tuple[str, ...]] = {}
"""Each known password, and how it may be written."""
_SHORTEST, _LONGEST = 4, 4096
_WORDS = frozenset(
    {"admin", "database", "password", "postgres", "postgresql", "root", "secret", "test", "user"}
)
"""Passwords that are words of many messages: masking them would garble those and hide nothing."""

_TELLING = re.compile(
    r"(?:pass|passw(?:or)?d|pwd|passphrase|secret|token|credentials?|(?:api|secret|access)_?key)$",
    re.IGNORECASE,
)
"""Names of variables that hold a secret."""

_CREDENTIALS = re.compile(r"(\w://[^\s:/@]*):([^\n]*)@")


def remember(password: str) -> None:
    """Let :func:`redact` mask *password* from now on."""
    _known[password] = _known.pop(password, ()) or _forms(password)
    while len(_known) > _MOST_KNOWN:
        del _known[next(iter(_known))]


def _of_variables(variables: Iterable[tuple[str, object]]) -> Iterator[str]:
    """Yield the passwords in URLs, and the values of variables whose names say what they are."""
    for name, value in variables:
        if not isinstance(value, str) or len(value) > _LONGEST:
            continue
        if (found := _CREDENTIALS.search(value)) is not None:
            yield from (found[2], unquote(found[2]))
        elif _TELLING.search(name):
            yield value


def _of_frames(error: BaseException) -> Iterator[str]:
    for each in _chain(error):
        traceback = each.__traceback__
        while traceback is not None:
            yield from _of_variables(tuple(traceback.tb_frame.f_locals.items()))
            traceback = traceback.tb_next


# -- text of others ---------------------------------------------------------------------------

_KEYWORD = re.compile(
    r"((?:password|passwd|pwd|passphrase|secret|api_?key|access_?token)\w*['\"]?\s*[=:])[^\n]+"
    r"|((?<![A-Za-z])token\w*\s*=)[^\n]+",
    re.IGNORECASE,
)


def redact(text: str, *, beside: Iterable[str] = ()) -> str:
    """Mask every password in *text*, which dbwarden did not write.

    Known passwords (those of URLs that were read, of the environment, and *beside*) are masked
    wherever they are, also percent-encoded or escaped. What merely looks like a password, in a URL
    or after ``password=``, is masked up to the last place where it can end.
    """
    others = {*_of_variables(os.environ.items()), *beside}
    written = [*_known.values(), *map(_forms, others)]
    found = {form for forms in written for form in forms if form in text}
    for form in sorted(found, key=len, reverse=True):
        text = _anywhere(form).sub(MASK, text)
    return _KEYWORD.sub(_masked_value, _CREDENTIALS.sub(rf"\1:{MASK}@", text))


def _forms(secret: str) -> tuple[str, ...]:
    """Return how *secret* may be written in a text; in no way where that would mask a word."""
    if len(secret) < _SHORTEST or secret.lower() in _WORDS:
        return ()
    escaped = (repr(secret)[1:-1], json.dumps(secret)[1:-1])
    encoded = (quote(secret), quote(secret, safe=""), quote_plus(secret))
    return tuple({secret, *encoded, *escaped})


def _anywhere(form: str) -> re.Pattern[str]:
    """Match *form*; a short one only where it is not part of a word."""
    exact = re.escape(form)
    return re.compile(exact if len(form) > 5 else rf"(?<!\w){exact}(?!\w)")


def _masked_value(found: re.Match[str]) -> str:
    return f"{found[1] or found[2]} {MASK}" if not found[0].endswith(MASK) else found[0]


def describe_error(error: BaseException) -> str:
    """Return type and message of an error that dbwarden did not raise, without secrets.

    The variables of its frames count as known secrets where their names say so.
    """
    text = f"{type(error).__name__}: {error}".rstrip(": ")
    return redact(text, beside=tuple(_of_frames(error)))


# -- exceptions -------------------------------------------------------------------------------


def without_frames(error: E) -> E:
    """Drop the frames of *error* and of its causes, because they hold secrets in variables."""
    for each in _chain(error):
        each.__traceback__ = None
    return error


def clean_cause(error: E) -> E | None:
    """Return *error* without its frames, or ``None`` where its message holds a secret."""
    beside = tuple(_of_frames(error))
    chain = tuple(_chain(error))
    texts = [text for each in chain for text in (str(each), repr(each), *map(str, _notes(each)))]
    without_frames(error)
    return error if all(redact(text, beside=beside) == text for text in texts) else None


def _notes(error: BaseException) -> Iterable[Any]:
    return getattr(error, "__notes__", ())


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield *error*, its causes and contexts, and the members of groups, each once."""
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
