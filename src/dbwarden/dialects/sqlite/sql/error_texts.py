"""Recognize errors for which SQLite has no code, only an English text.

SQLite reports all of them as SQLITE_ERROR, and Python's driver as ProgrammingError. The texts are
not translated. All other decisions use the error's code.
"""

from dbwarden.dialects.error_texts import ErrorText


class SQLiteText(ErrorText):
    """The texts of SQLite 3.31 and later, and of Python's driver."""

    MISSING_OBJECT = r"no such (?:table|module|collation sequence)\b"
    MISSING_REFERENCE = (  # the application defines functions, so that they are no fault
        r"^(?:no such (?:table|column): "
        r"|table .* (?:has no column named|has \d+ columns but \d+ values) )"
    )
    DUPLICATE_OBJECT = r"already exists$|^duplicate column name"
    REQUIRED_COLUMN = r"Cannot add a NOT NULL column"
    KEY_MISMATCH = r"^foreign key mismatch"
    OUTPUT_FILE_EXISTS = r"output file already exists"
    PARAMETER = r"bindings"
    SYNTAX_ERROR = r'(?s)^near "(.+)": syntax error$'
