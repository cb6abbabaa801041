"""Catalog queries: few, each for the whole database, for PostgreSQL 14 to 18.

Queries that depend on the server version (``server_version_num``) are functions of it. Printing
functions follow the connection's search_path, so names in the default namespace print unqualified.
"""

from typing import LiteralString

SYSTEM: LiteralString = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"


def is_owned(
    catalog: LiteralString, oid: LiteralString, kinds: LiteralString = "'e'"
) -> LiteralString:
    """Return a condition that is true if the object belongs to an extension.

    With the *kinds* ``'e', 'i'`` it is also true if another object created it, such as the
    functions of a range type.
    """
    return (
        f"EXISTS (SELECT FROM pg_depend e WHERE e.classid = '{catalog}'::regclass"
        f" AND e.objid = {oid} AND e.deptype IN ({kinds}))"
    )


def name_of(kind: LiteralString, row: LiteralString, prefix: LiteralString) -> LiteralString:
    """Return an expression for the name in a *row*, whose columns have the *prefix* of its kind.

    It has its namespace unless the search path finds it.
    """
    return (
        f"CASE WHEN pg_{kind}_is_visible({row}.oid) THEN quote_ident({row}.{prefix}name)"
        f" ELSE format('%s.%I', {row}.{prefix}namespace::regnamespace, {row}.{prefix}name) END"
    )


def collation(oid: LiteralString) -> LiteralString:
    """Return an expression for the name of a collation."""
    name = name_of("collation", "l", "coll")
    return f"(SELECT {name} FROM pg_collation l WHERE l.oid = {oid})"


NAMESPACES: LiteralString = f"""
SELECT n.oid::int8 AS oid, n.nspname::text AS name
FROM pg_namespace n WHERE {SYSTEM} AND NOT {is_owned("pg_namespace", "n.oid")}
"""

EXTENSIONS: LiteralString = """
SELECT x.oid::int8 AS oid, x.extname::text AS name, n.nspname::text AS namespace,
       x.extversion AS version, a.default_version, a.comment AS own_comment
FROM pg_extension x JOIN pg_namespace n ON n.oid = x.extnamespace
LEFT JOIN pg_available_extensions() a ON a.name = x.extname WHERE x.extname <> 'plpgsql'
"""

MEMBERS: LiteralString = """
SELECT d.classid::int8 AS class, d.objid::int8 AS oid, d.refobjid::int8 AS extension
FROM pg_depend d WHERE d.deptype = 'e' AND d.refobjid >= 16384
"""


# Enums, domains, composite and base types.
TYPES: LiteralString = f"""
SELECT t.oid::int8 AS oid, n.nspname::text AS namespace, t.typname::text AS name,
       t.typtype::text AS kind, t.typarray::int8 AS array_oid, t.typrelid::int8 AS relation,
       CASE WHEN t.typtype = 'd' THEN format_type(t.typbasetype, t.typtypmod) END AS base,
       CASE WHEN t.typtype = 'd' AND t.typcollation <> b.typcollation
            THEN {collation("t.typcollation")} END AS collation,
       t.typnotnull AS not_null, t.typacl IS NOT NULL AS granted,
       CASE WHEN t.typtype = 'd' THEN pg_get_expr(t.typdefaultbin, 0) END AS "default",
       (SELECT array_agg(v.enumlabel::text ORDER BY v.enumsortorder)
        FROM pg_enum v WHERE v.enumtypid = t.oid) AS "values"
FROM pg_type t
JOIN pg_namespace n ON n.oid = t.typnamespace
LEFT JOIN pg_type b ON b.oid = t.typbasetype
LEFT JOIN pg_class c ON c.oid = t.typrelid
WHERE {SYSTEM} AND (t.typtype IN ('e', 'd') OR c.relkind IN ('c')
      OR (t.typtype = 'b' AND t.typelem = 0))
  AND NOT {is_owned("pg_type", "t.oid")}
"""


_OF_NO_EXTENSION: LiteralString = f"NOT {is_owned('pg_class', 'c.oid')}"


def relations(*, members: bool) -> LiteralString:
    """Return the query for pg_class, except indexes and sequences.

    *members* tells whether any object belongs to an extension.
    """
    return f"""
SELECT c.oid::int8 AS oid, n.nspname::text AS namespace, c.relname::text AS name,
       c.relkind::text AS kind, c.relpersistence::text AS persistence, c.reltype::int8 AS row_type,
       c.reloptions AS options, t.reloptions AS toast_options,
       c.relrowsecurity AS row_security, c.relforcerowsecurity AS force_row_security,
       c.relreplident::text AS replica_identity, c.relispopulated AS populated,
       c.reloftype::int8 AS of_type, c.relacl IS NOT NULL AS granted,
       CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END AS bound,
       CASE WHEN c.relkind = 'p' THEN pg_get_partkeydef(c.oid) END AS partition_by,
       CASE WHEN c.relkind IN ('r', 'm', 'p') THEN
         (SELECT m.amname::text FROM pg_am m WHERE m.oid = c.relam
          AND m.amname <> current_setting('default_table_access_method')) END AS access_method,
       CASE WHEN c.relkind IN ('v', 'm') THEN pg_get_viewdef(c.oid) END AS definition
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_class t ON t.oid = c.reltoastrelid
WHERE {SYSTEM} AND c.relkind IN ('r', 'p', 'v', 'm', 'c', 'f') AND c.relpersistence <> 't'
  AND {_OF_NO_EXTENSION if members else "true"}
"""


# What PostgreSQL 18 stores about a NOT NULL, and the join for it. A child's state follows its
# parent's. Names that the server chose are omitted, because many columns have one.
_NAMED: tuple[LiteralString, LiteralString] = (
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
_UNNAMED: tuple[LiteralString, LiteralString] = (
    "'' AS not_null_state, NULL::text AS not_null_name",
    "",
)


def columns(version: int) -> LiteralString:
    """Return the query for the columns of tables and views, and attributes of composite types.

    It includes index columns with options or a statistics target.
    """
    named, joined = _NAMED if version >= 180000 else _UNNAMED
    return f"""
SELECT a.attrelid::int8 AS relation, a.attnum::int4 AS number, a.attname::text AS name,
       format_type(a.atttypid, a.atttypmod) AS type, a.attnotnull AS not_null,
       a.attcollation::int8 AS collation_oid,
       CASE WHEN a.attcollation <> t.typcollation AND a.attcollation <> 0
            THEN {collation("a.attcollation")} END AS collation,
       a.attidentity::text AS identity, a.attgenerated::text AS generated,
       a.attstattarget::int4 AS statistics, a.attcompression::text AS compression,
       CASE WHEN a.attstorage <> t.typstorage THEN a.attstorage::text END AS storage,
       a.attoptions AS options, a.attidentity <> '' OR a.attoptions IS NOT NULL AS peculiar,
       a.attinhcount > 0 AND NOT a.attislocal AS inherited,
       a.attacl IS NOT NULL AS granted, {named}
FROM pg_attribute a
JOIN pg_class c ON c.oid = a.attrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_type t ON t.oid = a.atttypid
{joined}
WHERE {SYSTEM} AND a.attnum > 0 AND NOT a.attisdropped
  AND (c.relkind IN ('r', 'p', 'v', 'm', 'c')
       OR c.relkind IN ('i', 'I') AND (a.attoptions IS NOT NULL OR a.attstattarget >= 0))
"""


# An expression without columns is printed without opening its table.
DEFAULTS: LiteralString = """
SELECT d.oid::int8 AS oid, d.adrelid::int8 AS relation, d.adnum::int4 AS number,
       pg_get_expr(d.adbin, CASE WHEN d.adbin::text LIKE '%{VAR %' THEN d.adrelid ELSE 0::oid END)
       AS expression
FROM pg_attrdef d WHERE d.adrelid >= 16384
"""


def constraints(version: int) -> LiteralString:
    """Return the query for the constraints of tables and domains."""
    set_columns: LiteralString = "k.confdelsetcols::text" if version >= 150000 else "NULL::text"
    newest: LiteralString = (
        "k.conenforced AS enforced, k.conperiod AS period"
        if version >= 180000
        else "true AS enforced, false AS period"
    )
    nulls: LiteralString = "i.indnullsnotdistinct" if version >= 150000 else "false"
    return f"""
SELECT k.oid::int8 AS oid, k.conname::text AS name, k.contype::text AS kind,
       k.conrelid::int8 AS relation, k.contypid::int8 AS domain, k.conindid::int8 AS index,
       k.conkey::text AS columns,
       k.confrelid::int8 AS referred, k.confkey::text AS referred_columns,
       k.confupdtype::text AS on_update, k.confdeltype::text AS on_delete,
       {set_columns} AS on_delete_columns, k.confmatchtype::text AS match,
       k.condeferrable AS deferrable, k.condeferred AS deferred, k.convalidated AS validated,
       k.connoinherit AS no_inherit, {newest},
       k.conparentid <> 0 OR (k.coninhcount > 0 AND NOT k.conislocal) AS inherited,
       CASE WHEN k.contype = 'c' THEN pg_get_expr(k.conbin, k.conrelid) END AS expression,
       CASE WHEN k.contype = 'x' THEN pg_get_constraintdef(k.oid) END AS definition,
       CASE WHEN k.contype IN ('p', 'u') THEN i.indkey::text END AS index_columns,
       i.indnkeyatts::int4 AS key_count, {nulls} AS nulls_not_distinct,
       i.indisclustered AS clustered, i.indisreplident AS replica_identity,
       i.indisvalid AS valid, x.reloptions AS options
FROM pg_constraint k
JOIN pg_namespace n ON n.oid = k.connamespace
LEFT JOIN pg_index i ON k.contype IN ('p', 'u', 'x') AND i.indexrelid = k.conindid
LEFT JOIN pg_class x ON x.oid = i.indexrelid
WHERE {SYSTEM} AND k.contype IN ('p', 'u', 'f', 'c', 'x')
  AND NOT (k.conparentid <> 0 AND EXISTS (SELECT FROM pg_constraint o
           WHERE o.oid = k.conparentid AND o.conrelid = k.conrelid))
"""


def indexes(version: int) -> LiteralString:
    """Return the query for indexes that belong to no constraint."""
    nulls: LiteralString = "i.indnullsnotdistinct" if version >= 150000 else "false"
    return f"""
SELECT i.indexrelid::int8 AS oid, i.indrelid::int8 AS relation, x.relname::text AS name,
       m.amname::text AS method, i.indisunique AS "unique",
       i.indkey::text AS columns, i.indnkeyatts::int4 AS key_count,
       i.indclass::text AS classes, i.indcollation::text AS collations,
       i.indoption::text AS flags, i.indisvalid AS valid, i.indisclustered AS clustered,
       i.indisreplident AS replica_identity, {nulls} AS nulls_not_distinct,
       x.reloptions AS options, p.inhparent IS NOT NULL AS inherited,
       CASE WHEN i.indexprs IS NOT NULL THEN
         ARRAY(SELECT pg_get_indexdef(i.indexrelid, k, false)
               FROM generate_series(1, i.indnkeyatts::int4) k ORDER BY k) END AS expressions,
       pg_get_expr(i.indpred, i.indrelid) AS "where"
FROM pg_index i
JOIN pg_class x ON x.oid = i.indexrelid
JOIN pg_namespace n ON n.oid = x.relnamespace
JOIN pg_am m ON m.oid = x.relam
LEFT JOIN pg_inherits p ON p.inhrelid = i.indexrelid
WHERE {SYSTEM} AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = i.indexrelid
                               AND k.contype IN ('p', 'u', 'x'))
"""


OPERATOR_CLASSES: LiteralString = f"""
SELECT o.oid::int8 AS oid, o.opcdefault AS is_default, {name_of("opclass", "o", "opc")} AS name
FROM pg_opclass o
"""

# There are few distinct lists, however many indexes exist.
INDEX_COLLATIONS: LiteralString = f"""
SELECT u.oid::int8 AS oid, {collation("u.oid")} AS name
FROM (SELECT DISTINCT regexp_split_to_table(v.numbers, ' ')::oid AS oid
      FROM (SELECT DISTINCT i.indcollation::text AS numbers FROM pg_index i
            WHERE i.indexrelid >= 16384) v) u WHERE u.oid <> 0
"""

INHERITANCE: LiteralString = f"""
SELECT h.inhrelid::int8 AS child, h.inhparent::int8 AS parent
FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {SYSTEM} AND c.relkind IN ('r', 'p') ORDER BY h.inhrelid, h.inhseqno
"""


def sequences(*, members: bool) -> LiteralString:
    """Return the query for all sequences; ``members`` as for :func:`relations`."""
    return f"""
SELECT c.oid::int8 AS oid, n.nspname::text AS namespace, c.relname::text AS name,
       format_type(s.seqtypid, NULL) AS type, s.seqstart AS start, s.seqincrement AS increment,
       s.seqmin AS minimum, s.seqmax AS maximum, s.seqcache AS cache, s.seqcycle AS cycle,
       c.relpersistence::text AS persistence, d.deptype::text AS ownership,
       d.refobjid::int8 AS owner, d.refobjsubid::int4 AS owner_column,
       c.relacl IS NOT NULL AS granted
FROM pg_class c
JOIN pg_sequence s ON s.seqrelid = c.oid
JOIN pg_namespace n ON n.oid = c.relnamespace
LEFT JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.objsubid = 0
     AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i')
WHERE {SYSTEM} AND c.relpersistence <> 't' AND {_OF_NO_EXTENSION if members else "true"}
"""


# Functions and procedures.
ROUTINES: LiteralString = f"""
SELECT p.oid::int8 AS oid, n.nspname::text AS namespace, p.proname::text AS name,
       p.prokind::text AS kind, oidvectortypes(p.proargtypes) AS identity,
       pg_get_function_arguments(p.oid) AS arguments, pg_get_function_result(p.oid) AS returns,
       pg_get_functiondef(p.oid) AS definition,
       p.proacl IS NOT NULL AS granted
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE {SYSTEM} AND p.prokind <> 'a' AND NOT {is_owned("pg_proc", "p.oid", "'e', 'i'")}
"""


# Aggregate functions, with the options of ``CREATE AGGREGATE``.
AGGREGATES: LiteralString = f"""
SELECT p.oid::int8 AS oid, n.nspname::text AS namespace, p.proname::text AS name,
       oidvectortypes(p.proargtypes) AS identity, pg_get_function_arguments(p.oid) AS arguments,
       a.aggtransfn::regproc::text AS sfunc, format_type(a.aggtranstype, NULL) AS stype,
       nullif(a.aggtransspace, 0)::text AS sspace,
       nullif(a.aggfinalfn::oid, 0::oid)::regproc::text AS finalfunc,
       a.aggfinalextra AS finalfunc_extra,
       nullif(a.aggcombinefn::oid, 0::oid)::regproc::text AS combinefunc,
       nullif(a.aggserialfn::oid, 0::oid)::regproc::text AS serialfunc,
       nullif(a.aggdeserialfn::oid, 0::oid)::regproc::text AS deserialfunc,
       a.agginitval AS initcond,
       nullif(a.aggmtransfn::oid, 0::oid)::regproc::text AS msfunc,
       nullif(a.aggminvtransfn::oid, 0::oid)::regproc::text AS minvfunc,
       CASE WHEN a.aggmtranstype <> 0 THEN format_type(a.aggmtranstype, NULL) END AS mstype,
       nullif(a.aggmtransspace, 0)::text AS msspace,
       nullif(a.aggmfinalfn::oid, 0::oid)::regproc::text AS mfinalfunc,
       a.aggmfinalextra AS mfinalfunc_extra,
       a.aggminitval AS minitcond,
       CASE WHEN a.aggsortop <> 0 THEN a.aggsortop::regoperator::text END AS sortop,
       nullif(p.proparallel, 'u')::text AS parallel, a.aggkind = 'h' AS hypothetical,
       p.proacl IS NOT NULL AS granted,
       nullif(a.aggfinalmodify, CASE WHEN a.aggkind = 'n' THEN 'r' ELSE 'w' END)::text
       AS finalfunc_modify,
       nullif(a.aggmfinalmodify, CASE WHEN a.aggkind = 'n' THEN 'r' ELSE 'w' END)::text
       AS mfinalfunc_modify
FROM pg_aggregate a
JOIN pg_proc p ON p.oid = a.aggfnoid
JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE {SYSTEM} AND NOT {is_owned("pg_proc", "p.oid")}
"""


# User triggers, without their copies on partitions.
TRIGGERS: LiteralString = f"""
SELECT g.oid::int8 AS oid, g.tgrelid::int8 AS relation, g.tgname::text AS name,
       g.tgenabled::text AS enabled, pg_get_triggerdef(g.oid) AS definition
FROM pg_trigger g
JOIN pg_class c ON c.oid = g.tgrelid
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {SYSTEM} AND NOT g.tgisinternal AND g.tgparentid = 0
"""


RULES: LiteralString = f"""
SELECT r.oid::int8 AS oid, r.ev_class::int8 AS relation, r.rulename::text AS name,
       r.ev_enabled::text AS enabled,
       CASE WHEN r.rulename <> '_RETURN' THEN pg_get_ruledef(r.oid) END AS definition
FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {SYSTEM}
"""

POLICIES: LiteralString = f"""
SELECT p.oid::int8 AS oid, p.polrelid::int8 AS relation, p.polname::text AS name,
       p.polcmd::text AS command, p.polpermissive AS permissive,
       CASE WHEN p.polroles = '{{0}}' THEN ARRAY['public'] ELSE
         ARRAY(SELECT r.rolname::text FROM pg_roles r WHERE r.oid = ANY (p.polroles) ORDER BY 1)
       END AS roles,
       pg_get_expr(p.polqual, p.polrelid) AS "using",
       pg_get_expr(p.polwithcheck, p.polrelid) AS "check"
FROM pg_policy p JOIN pg_class c ON c.oid = p.polrelid
JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {SYSTEM}
"""


# Extended statistics.
STATISTICS: LiteralString = f"""
SELECT s.oid::int8 AS oid, n.nspname::text AS namespace, s.stxname::text AS name,
       s.stxrelid::int8 AS relation, s.stxstattarget::int4 AS target,
       pg_get_statisticsobjdef(s.oid) AS definition,
       (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) FROM pg_attribute a
        WHERE a.attrelid = s.stxrelid AND a.attnum = ANY (s.stxkeys)) AS columns,
       (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname) FROM pg_attribute a
        WHERE a.attrelid = s.stxrelid AND a.attnum = ANY (s.stxkeys)) AS columns_by_name
FROM pg_statistic_ext s JOIN pg_namespace n ON n.oid = s.stxnamespace WHERE {SYSTEM}
"""


COMMENTS: LiteralString = """
SELECT d.classoid::int8 AS class, d.objoid::int8 AS oid, d.objsubid::int4 AS part,
       d.description AS text
FROM pg_description d
WHERE d.objoid >= 16384
   OR (d.classoid = 'pg_namespace'::regclass AND d.objoid = 2200
       AND d.description <> 'standard public schema')
"""

# Dependencies that follow from the structure of a table (a key and its columns, a default and its
# column) are left out because the values contain them.
DEPENDENCIES: LiteralString = """
SELECT d.classid::int8 AS class, d.objid::int8 AS oid, d.objsubid::int4 AS part,
       d.refclassid::int8 AS needed_class, d.refobjid::int8 AS needed_oid,
       d.refobjsubid::int4 AS needed_part
FROM pg_depend d
WHERE d.objid >= 16384 AND d.refobjid >= 16384 AND d.deptype IN ('n', 'a', 'i')
  AND NOT (d.classid = 'pg_constraint'::regclass AND (d.deptype = 'a' OR d.refobjsubid > 0))
  AND NOT (d.classid = 'pg_attrdef'::regclass AND d.deptype = 'a')
  AND NOT (d.classid = 'pg_class'::regclass AND d.deptype <> 'n'
           AND (d.objsubid = 0 OR d.deptype = 'i'))
  AND NOT (d.classid = 'pg_type'::regclass AND d.deptype = 'i')
  AND NOT (d.classid = 'pg_trigger'::regclass AND d.refclassid = 'pg_constraint'::regclass)
"""
