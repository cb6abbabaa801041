"""Which rare kinds a database has at all: one cheap query spares a dozen that would find nothing.

The answers may say yes too often (an extension's function is a function), never no too often.
Numbers below 16384 are the server's own.
"""

from typing import LiteralString

# By the field of Rows that they fill.
_CONDITIONS: dict[str, LiteralString] = {
    "extensions": "FROM pg_extension WHERE oid >= 16384",
    "types": "FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid WHERE t.oid >= 16384"
    " AND (t.typtype IN ('e', 'd', 'r') OR c.relkind = 'c'"
    " OR (t.typtype = 'b' AND t.typelem = 0))",
    "indexes": "FROM pg_index WHERE indexrelid >= 16384",
    "index_attributes": "FROM pg_attribute WHERE attrelid >= 16384"
    " AND (attoptions IS NOT NULL OR attstattarget >= 0)",
    "inheritance": "FROM pg_inherits",
    "sequences": "FROM pg_sequence",
    "routines": "FROM pg_proc WHERE oid >= 16384",
    "triggers": "FROM pg_trigger WHERE NOT tgisinternal",
    "event_triggers": "FROM pg_event_trigger",
    "rules": "FROM pg_rewrite WHERE oid >= 16384",
    "policies": "FROM pg_policy",
    "statistics": "FROM pg_statistic_ext",
    "grants": "FROM pg_class WHERE oid >= 16384 AND relacl IS NOT NULL"
    " UNION ALL SELECT FROM pg_attribute WHERE attrelid >= 16384 AND attacl IS NOT NULL"
    " UNION ALL SELECT FROM pg_proc WHERE oid >= 16384 AND proacl IS NOT NULL"
    " UNION ALL SELECT FROM pg_type WHERE oid >= 16384 AND typacl IS NOT NULL",
}
_OTHERS: tuple[LiteralString, ...] = (
    *("pg_operator", "pg_opclass", "pg_collation", "pg_conversion", "pg_ts_config"),
    *("pg_ts_dict", "pg_cast", "pg_foreign_server", "pg_foreign_data_wrapper", "pg_language"),
    *("pg_am", "pg_publication"),
)


def _present() -> LiteralString:
    each = [f'EXISTS (SELECT {text}) AS "{name}"' for name, text in _CONDITIONS.items()]
    others = " OR ".join([f"EXISTS (SELECT FROM {name} WHERE oid >= 16384)" for name in _OTHERS])
    others += " OR EXISTS (SELECT FROM pg_trigger WHERE tgenabled <> 'O')"
    others += " OR EXISTS (SELECT FROM pg_constraint WHERE contype = 'n'"
    others += " AND (connoinherit OR NOT convalidated))"
    return "SELECT " + ", ".join(each) + f", ({others}) AS others"


PRESENT: LiteralString = _present()
