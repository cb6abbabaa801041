"""URLs of configured databases, for tests that connect by themselves."""

from dbwarden.secrets import Secret


def revealed(url: object) -> str:
    """Return the text of a configured *url*, which must not be a function."""
    assert isinstance(url, Secret)
    text: object = url.reveal()
    assert isinstance(text, str)
    return text
