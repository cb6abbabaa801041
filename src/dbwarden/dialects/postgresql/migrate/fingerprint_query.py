"""Build the expression for the fingerprint of a schema: a hash of catalog rows. Pure.

It compares a database with itself at another time, and costs little: no name is looked up, nothing
is printed as SQL, and no table is locked. So it depends on OIDs, and the fingerprint begins with
what has to be the same to compare two: the algorithm, the server's major version, the options, and
the OIDs of database and history table, which a restored copy does not have.

Left out is what changes without a change of the schema: statistics, storage, the OIDs of indexes
(``REINDEX CONCURRENTLY``), temporary tables and the tables of dbwarden.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import LiteralString

from dbwarden.dialects.postgresql.sql.quoting import literal

ALGORITHM = "v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class FingerprintOptions:
    """The part of a database that a fingerprint covers.

    Attributes:
        namespace: Only the objects on and in this namespace; other databases use the others.
        partitions: Include partitions.
        privileges: Include grants and default privileges.
        tables: The names of dbwarden's own tables.
    """

    namespace: str | None
    partitions: bool
    privileges: bool
    tables: tuple[str, ...]

    @property
    def digest(self) -> str:
        """A short text that differs if two fingerprints cannot be compared."""
        return hashlib.sha256(repr(self).encode()).hexdigest()[:8]


@lru_cache(maxsize=64)  # a fleet sends the same query to all its databases
def fingerprint_sql(table: str, options: FingerprintOptions, version: int) -> str:
    """Return an expression for the fingerprint; *table* is the ledger, qualified."""
    basis = literal(f"{ALGORITHM}:{version // 10000}:{options.digest}:")
    gate = " OR ".join(f"EXISTS (SELECT FROM {text})" for text in _GATE)
    others = _hash(options, [*_others(options), *_rare(options, version)])
    # ts_stat runs a query that is given as text. So the server plans it only if there is something
    # to read, which most databases do not have.
    text = f"SELECT array_to_tsvector(ARRAY[({others})::text])"
    return f"""concat({basis},
  (SELECT concat(oid, '.', xmin) FROM pg_class WHERE oid = {literal(table)}::regclass),
  '=', ({_hash(options, [*_core(options, version)])}),
  CASE WHEN {gate} THEN (SELECT ':' || word FROM ts_stat({literal(text)})) END)"""


def _hash(options: FingerprintOptions, branches: Sequence[str]) -> str:
    """Return the query for the hash of the lines of all *branches*, in any order."""
    return f"""WITH spaces AS MATERIALIZED ({_spaces(options)}),
rels AS MATERIALIZED ({_relations(options)})
SELECT sum(hashtextextended(line COLLATE "C", 0)) FROM ({" UNION ALL ".join(branches)}) l (line)"""


def _spaces(options: FingerprintOptions) -> str:
    if options.namespace is not None:
        name = literal(options.namespace)
        return f"SELECT oid, nspname, nspacl FROM pg_namespace WHERE nspname = {name}"
    return (
        "SELECT oid, nspname, nspacl FROM pg_namespace"
        " WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'"
    )


def _relations(options: FingerprintOptions) -> str:
    partitions = "" if options.partitions else " AND NOT relispartition"
    names = ", ".join(literal(name) for name in options.tables)
    return (
        "SELECT oid, relname, relkind, relnamespace, relpersistence, reloptions, relrowsecurity,"
        " relforcerowsecurity, relreplident, relispartition, relpartbound, reloftype, relam,"
        " relacl, reltoastrelid, CASE WHEN relkind IN ('i', 'I') THEN relname::text"
        " ELSE oid::text END AS id"
        " FROM pg_class WHERE oid >= 16384 AND relnamespace IN (SELECT oid FROM spaces)"
        f" AND relpersistence <> 't' AND relname NOT IN ({names}){partitions}"
    )


_TOAST: LiteralString = "(SELECT t.reloptions FROM pg_class t WHERE t.oid = c.reltoastrelid)"
_DEFAULT: LiteralString = (
    "CASE WHEN a.atthasdef THEN (SELECT d.adbin FROM pg_attrdef d"
    " WHERE d.adrelid = a.attrelid AND d.adnum = a.attnum) END"
)
_OWNER: LiteralString = (
    "(SELECT concat_ws(' ', d.refobjid, d.refobjsubid, d.deptype) FROM pg_depend d"
    " WHERE d.classid = 1259 AND d.objid = s.seqrelid AND d.refclassid = 1259"
    " AND d.refobjsubid > 0)"
)
_AGGREGATE: LiteralString = (
    "CASE WHEN p.prokind = 'a' THEN"
    " (SELECT g::text FROM pg_aggregate g WHERE g.aggfnoid = p.oid) END"
)
_LABELS: LiteralString = (
    "CASE t.typtype WHEN 'e' THEN (SELECT string_agg(e.enumlabel, ' ' ORDER BY e.enumsortorder)"
    " FROM pg_enum e WHERE e.enumtypid = t.oid)"
    " WHEN 'r' THEN (SELECT r::text FROM pg_range r WHERE r.rngtypid = t.oid) END"
)


def _core(options: FingerprintOptions, version: int) -> Iterator[str]:
    """Yield the queries for tables and what most of them have."""
    acl = options.privileges
    yield (
        "SELECT concat_ws('|', 'c', c.oid, c.relname, c.relnamespace, c.relkind, c.relpersistence,"
        " c.reloptions, c.relrowsecurity, c.relforcerowsecurity, c.relreplident, c.relispartition,"
        f" c.relpartbound, c.reloftype, c.relam, {_TOAST}{_acl(acl, 'c.relacl')}) FROM rels c"
        " WHERE c.relkind NOT IN ('i', 'I')"
    )
    yield (
        "SELECT concat_ws('|', 'a', c.id, a.attname, a.attnum, a.atttypid, a.atttypmod,"
        " a.attnotnull, a.attcollation, a.attidentity, a.attgenerated, a.attstattarget,"
        " a.attcompression, a.attstorage, a.attoptions, a.attfdwoptions, a.attislocal, "
        f"{_DEFAULT}{_acl(acl, 'a.attacl')})"
        " FROM pg_attribute a JOIN rels c ON c.oid = a.attrelid"
        " WHERE a.attrelid >= 16384 AND a.attnum > 0 AND NOT a.attisdropped"
        " AND (c.relkind NOT IN ('i', 'I', 'S') OR a.attstattarget >= 0"
        " OR a.attoptions IS NOT NULL)"
    )
    newer = ", k.confdelsetcols" if version >= 150000 else ""
    newer += ", k.conenforced, k.conperiod" if version >= 180000 else ""
    yield (
        "SELECT concat_ws('|', 'k', k.conrelid, k.contypid, k.conname, k.contype, k.condeferrable,"
        " k.condeferred, k.convalidated, k.confrelid, k.confupdtype, k.confdeltype,"
        " k.confmatchtype, k.conislocal, k.connoinherit, k.conkey, k.confkey, k.conexclop,"
        f" k.conbin{newer}) FROM pg_constraint k WHERE k.connamespace IN (SELECT oid FROM spaces)"
        " AND (k.conrelid = 0 OR k.conrelid IN (SELECT oid FROM rels))"
    )
    nulls = ", i.indnullsnotdistinct" if version >= 150000 else ""
    yield (
        "SELECT concat_ws('|', 'i', x.relname, i.indrelid, i.indisunique, i.indisclustered,"
        " i.indisvalid, i.indisreplident, i.indimmediate, i.indnkeyatts, i.indkey, i.indcollation,"
        " i.indclass, i.indoption, i.indexprs, i.indpred, x.relam, x.reloptions, x.relispartition"
        f"{nulls}) FROM pg_index i JOIN rels x ON x.oid = i.indexrelid"
        " WHERE i.indrelid IN (SELECT oid FROM rels)"
    )
    yield (
        "SELECT concat_ws('|', 's', s.seqrelid, s.seqtypid, s.seqstart, s.seqincrement, s.seqmax,"
        f" s.seqmin, s.seqcache, s.seqcycle, {_OWNER})"
        " FROM pg_sequence s JOIN rels c ON c.oid = s.seqrelid"
    )
    yield (
        "SELECT concat_ws('|', 'g', t.tgrelid, t.tgname, t.tgfoid, t.tgtype, t.tgenabled,"
        " t.tgdeferrable, t.tginitdeferred, t.tgattr, t.tgargs, t.tgqual, t.tgoldtable,"
        " t.tgnewtable) FROM pg_trigger t JOIN rels c ON c.oid = t.tgrelid"
        " WHERE NOT t.tgisinternal OR t.tgenabled <> 'O'"
    )
    yield f"SELECT concat_ws('|', 'n', n.oid, n.nspname{_acl(acl, 'n.nspacl')}) FROM spaces n"
    others = "" if options.namespace is not None else " OR d.classoid <> 1259"
    yield (
        "SELECT concat_ws('|', 'd', d.classoid, coalesce(c.id, d.objoid::text), d.objsubid,"
        " d.description) FROM pg_description d LEFT JOIN rels c"
        " ON d.classoid = 1259 AND c.oid = d.objoid"
        f" WHERE (d.objoid >= 16384 OR d.objoid = 2200) AND (c.oid IS NOT NULL{others})"
    )


def _others(options: FingerprintOptions) -> Iterator[str]:
    """Yield the queries for what fewer databases have."""
    acl = options.privileges
    yield (
        "SELECT concat_ws('|', 'r', r.ev_class, r.rulename, r.ev_type, r.ev_enabled, r.is_instead,"
        " r.ev_qual, r.ev_action) FROM pg_rewrite r JOIN rels c ON c.oid = r.ev_class"
    )
    yield (
        "SELECT concat_ws('|', 'p', p.polrelid, p.polname, p.polcmd, p.polpermissive, p.polroles,"
        " p.polqual, p.polwithcheck) FROM pg_policy p JOIN rels c ON c.oid = p.polrelid"
    )
    yield (
        "SELECT concat_ws('|', 'h', c.id, h.inhparent, h.inhseqno) FROM pg_inherits h"
        " JOIN rels c ON c.oid = h.inhrelid WHERE c.relkind NOT IN ('i', 'I')"
    )
    yield (
        "SELECT concat_ws('|', 'f', p.oid, p.proname, p.pronamespace, p.prolang, p.procost,"
        " p.prorows, p.prosupport, p.prokind, p.prosecdef, p.proleakproof, p.proisstrict,"
        " p.proretset, p.provolatile, p.proparallel, p.prorettype, p.proargtypes,"
        " p.proallargtypes, p.proargmodes, p.proargnames, p.proargdefaults, p.protrftypes,"
        f" p.prosrc, p.probin, p.prosqlbody, p.proconfig, {_AGGREGATE}{_acl(acl, 'p.proacl')})"
        " FROM pg_proc p WHERE p.oid >= 16384 AND p.pronamespace IN (SELECT oid FROM spaces)"
    )
    yield (
        "SELECT concat_ws('|', 't', t.oid, t.typname, t.typnamespace, t.typtype, t.typnotnull,"
        f" t.typbasetype, t.typtypmod, t.typcollation, t.typdefaultbin, {_LABELS}"
        f"{_acl(acl, 't.typacl')}) FROM pg_type t WHERE t.oid >= 16384"
        " AND t.typtype <> 'c' AND t.typelem = 0 AND t.typnamespace IN (SELECT oid FROM spaces)"
    )
    yield (
        "SELECT concat_ws('|', 'x', x.oid, x.stxrelid, x.stxname, x.stxnamespace, x.stxkeys,"
        " x.stxstattarget, x.stxkind, x.stxexprs) FROM pg_statistic_ext x"
        " WHERE x.stxnamespace IN (SELECT oid FROM spaces)"
    )


def _rare(options: FingerprintOptions, version: int) -> Iterator[str]:
    """Yield the queries for objects that belong to the database, and for rare kinds."""
    if options.namespace is not None:
        return
    yield (
        "SELECT concat_ws('|', 'e', e.extname, e.extversion, e.extnamespace) FROM pg_extension e"
    )
    if options.privileges:
        yield (
            "SELECT concat_ws('|', 'l', a.defaclrole, a.defaclnamespace, a.defaclobjtype,"
            " a.defaclacl) FROM pg_default_acl a"
        )
    for name, left in _RARE.items():
        row = f"(to_jsonb(o) - '{{{left}}}'::text[])::text" if left else "to_jsonb(o)::text"
        yield f"SELECT concat('{name}', {row}) FROM {name} o WHERE oid >= 16384"
    yield "SELECT to_jsonb(o)::text FROM pg_ts_config_map o WHERE mapcfg >= 16384"
    yield "SELECT to_jsonb(o)::text FROM pg_foreign_table o"
    yield "SELECT concat_ws('|', 'u', umid, srvid, usename) FROM pg_user_mappings"
    if version >= 150000:
        yield "SELECT to_jsonb(o)::text FROM pg_publication_namespace o"
    # Only a superuser may read the connection string. What changes while a subscription works,
    # such as subskiplsn, is no change of the schema.
    columns = "subname, subbinary, substream, subsynccommit, subpublications"
    columns += ", subtwophasestate <> 'd', subdisableonerr" if version >= 150000 else ""
    columns += ", subpasswordrequired, subrunasowner, suborigin" if version >= 160000 else ""
    columns += ", subfailover" if version >= 170000 else ""
    yield (
        f"SELECT concat_ws('|', 'b', s.oid, {columns}) FROM pg_subscription s WHERE {_SUBSCRIBED}"
    )


def _acl(wanted: bool, column: LiteralString) -> str:
    return f", {column}" if wanted else ""


_SUBSCRIBED: LiteralString = (
    "subdbid = (SELECT oid FROM pg_database WHERE datname = current_database())"
)

# pg_depend shows objects of most kinds, by their catalogs. The others may need nothing.
_GATE: tuple[LiteralString, ...] = (
    "pg_depend WHERE classid IN (1255, 1417, 2328, 2601, 2607, 2612, 2616, 2617, 2618, 2753, 3079,"
    " 3256, 3381, 3456, 3466, 3576, 3600, 3601, 3602, 3764, 6104) AND objid >= 16384",
    "pg_type WHERE oid >= 16384 AND typtype <> 'c' AND typelem = 0",
    "pg_inherits",
    "pg_default_acl",
    "pg_cast WHERE oid >= 16384",
    "pg_publication",
    "pg_foreign_data_wrapper",
    "pg_event_trigger",
    f"pg_subscription WHERE {_SUBSCRIBED}",
)

_RARE: dict[LiteralString, LiteralString] = {
    "pg_operator": "oprowner",
    "pg_opclass": "opcowner",
    "pg_opfamily": "opfowner",
    "pg_amop": "",
    "pg_amproc": "",
    "pg_collation": "collowner,collversion",
    "pg_conversion": "conowner",
    "pg_cast": "",
    "pg_ts_config": "cfgowner",
    "pg_ts_dict": "dictowner",
    "pg_ts_parser": "",
    "pg_ts_template": "",
    "pg_foreign_server": "srvowner,srvacl",
    "pg_foreign_data_wrapper": "fdwowner,fdwacl",
    "pg_language": "lanowner,lanacl",
    "pg_am": "",
    "pg_publication": "pubowner",
    "pg_publication_rel": "",
    "pg_transform": "",
    "pg_event_trigger": "evtowner",
}
