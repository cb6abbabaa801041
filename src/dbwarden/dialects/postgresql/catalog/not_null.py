"""Select and join what PostgreSQL 18 stores about the NOT NULL of a column."""

from typing import LiteralString

# A child's state follows its parent's. Names that the server chose are omitted, because many
# columns have one.
NAMED: tuple[LiteralString, LiteralString] = (
    """
       CASE WHEN k.coninhcount = 0 THEN
                 concat_ws(' ', CASE WHEN NOT k.convalidated THEN 'NOT VALID' END,
                           CASE WHEN k.connoinherit THEN 'NO INHERIT' END)
            ELSE '' END AS not_null_state,
       CASE WHEN k.coninhcount = 0 AND (NOT k.convalidated OR k.connoinherit
                 OR k.conname <> concat(c.relname, '_', a.attname, '_not_null')
                    -- The server shortens a name of more than 63 bytes.
                    AND octet_length(concat(c.relname, '_', a.attname, '_not_null')) <= 63)
            THEN k.conname::text END AS not_null_name""",
    """
LEFT JOIN pg_constraint k
       ON k.contype = 'n' AND k.conrelid = a.attrelid AND k.conkey[1] = a.attnum""",
)
NONE: tuple[LiteralString, LiteralString] = (
    "'' AS not_null_state, NULL::text AS not_null_name",
    "",
)
