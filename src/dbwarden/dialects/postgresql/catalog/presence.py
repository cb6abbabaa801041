"""Detect which rare object kinds a database has: one cheap query saves a dozen empty ones.

The result may contain false positives (an extension's function is a function), but no false
negatives. OIDs below 16384 belong to the server.
"""

from typing import LiteralString

_FREQUENT: dict[str, LiteralString] = {
    "extensions": "FROM pg_extension WHERE oid >= 16384",
    # LATERAL and LIMIT make the server find each extension's first member by its index.
    "members": "FROM pg_extension x, LATERAL (SELECT FROM pg_depend WHERE refclassid = 3079"
    " AND refobjid = x.oid AND deptype = 'e' AND objid >= 16384 LIMIT 1) m",
    "types": "FROM pg_type WHERE oid >= 16384"
    " AND (typtype IN ('e', 'd') OR (typtype = 'b' AND typelem = 0))",
    "indexes": "FROM pg_index WHERE indexrelid >= 16384",
    "sequences": "FROM pg_sequence",
    "inheritance": "FROM pg_inherits",
}
_RARE: dict[str, LiteralString] = {
    "routines": "FROM pg_proc WHERE oid >= 16384",
    "triggers": "FROM pg_trigger WHERE NOT tgisinternal",
    "rules": "FROM pg_rewrite WHERE oid >= 16384",
    "policies": "FROM pg_policy",
    "statistics": "FROM pg_statistic_ext",
}
_PLAIN_OBJECTS: tuple[LiteralString, ...] = (
    *("pg_operator", "pg_opclass", "pg_collation", "pg_conversion", "pg_ts_config"),
    *("pg_ts_dict", "pg_cast", "pg_foreign_server", "pg_foreign_data_wrapper", "pg_language"),
    *(
        "pg_am",
        "pg_event_trigger",
        "pg_publication",
        "pg_opfamily",
        "pg_transform",
        "pg_ts_parser",
        "pg_ts_template",
    ),
)


def _each(conditions: dict[str, LiteralString]) -> LiteralString:
    return ", ".join([f'EXISTS (SELECT {text}) AS "{name}"' for name, text in conditions.items()])


def _plain_objects() -> LiteralString:
    others = " OR ".join(
        [f"EXISTS (SELECT FROM {name} WHERE oid >= 16384)" for name in _PLAIN_OBJECTS]
    )
    return (
        f"({others} OR EXISTS (SELECT subname FROM pg_subscription)"
        " OR EXISTS (SELECT FROM pg_range WHERE rngtypid >= 16384)"
        " OR EXISTS (SELECT FROM pg_trigger WHERE tgenabled <> 'O')"
        " OR EXISTS (SELECT FROM pg_constraint WHERE contype = 'n'"
        " AND (connoinherit OR NOT convalidated))) AS plain_objects"
    )


FREQUENT: LiteralString = f"SELECT {_each(_FREQUENT)}"
"""The query for which common object kinds exist."""
RARE: LiteralString = f"SELECT {_each(_RARE)}, {_plain_objects()}"
"""The query for which rare object kinds exist."""
