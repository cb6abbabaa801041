"""Quote names and texts as the SQL standard does, which every database kind accepts. Pure.

The modules ``dialects/<kind>/sql/quoting.py`` know which names of their kind need no quotes.
"""


def quoted(name: str) -> str:
    """Return *name* as a quoted identifier."""
    if "\0" in name:
        raise ValueError("an identifier cannot hold a NUL character")
    return '"' + name.replace('"', '""') + '"'


def unquoted(identifier: str) -> str:
    """Return the name of a quoted identifier; other text is returned unchanged."""
    quotes = len(identifier) > 1 and identifier[0] == identifier[-1] == '"'
    return identifier[1:-1].replace('""', '"') if quotes else identifier


def text_literal(text: str) -> str:
    """Return *text* as a literal, as files have it."""
    return "'" + text.replace("'", "''") + "'"
