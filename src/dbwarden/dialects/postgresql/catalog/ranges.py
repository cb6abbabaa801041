"""Select the multirange type of a range type. PostgreSQL 14 and newer."""

from typing import LiteralString

MULTIRANGE: LiteralString = (
    "(SELECT ARRAY[r.rngmultitypid::int8, m.typarray::int8] FROM pg_range r"
    " JOIN pg_type m ON m.oid = r.rngmultitypid WHERE r.rngtypid = t.oid)"
)
