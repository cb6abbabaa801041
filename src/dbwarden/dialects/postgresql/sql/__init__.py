"""The text of SQL: words, statements, quoting."""
