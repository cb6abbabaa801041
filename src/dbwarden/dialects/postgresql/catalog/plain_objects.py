"""Query the objects of kinds without a class of their own, all with one query.

Such an object has a kind, a namespace, a name, a part (argument types, for example), and clauses:
pairs of a name and a text, of which ``ddl/plain_objects.py`` makes SQL. A row without clauses is a
part of an object, such as the array type of a range type, and resolves to it.

The last queries are of the kinds that dbwarden reads but does not write. Their definition need not
be SQL. It differs if two objects differ, and contains no OIDs, which vary between databases.
"""

from typing import LiteralString

from dbwarden.dialects.postgresql.catalog.queries import (
    SYSTEM,
    collation,
    is_owned,
    name_of,
)

# A multirange type has a name of its own, made of that of the range type unless it is given.
_RANGES: LiteralString = f"""
SELECT 'range type', 'pg_type'::regclass, t.oid, t.typnamespace, t.typname::text, NULL::text,
       ARRAY[['definition', 'AS RANGE (' || concat_ws(', ',
         'subtype = ' || format_type(r.rngsubtype, NULL),
         CASE WHEN NOT o.opcdefault
              THEN 'subtype_opclass = ' || {name_of("opclass", "o", "opc")} END,
         CASE WHEN r.rngcollation <> s.typcollation
              THEN 'collation = ' || {collation("r.rngcollation")} END,
         'canonical = ' || nullif(r.rngcanonical::oid, 0)::regproc,
         'subtype_diff = ' || nullif(r.rngsubdiff::oid, 0)::regproc,
         CASE WHEN m.typname <> CASE WHEN t.typname ~ 'range'
                                     THEN regexp_replace(t.typname, 'range', 'multirange')
                                     ELSE t.typname || '_multirange' END
              THEN 'multirange_type_name = ' || {name_of("type", "m", "typ")} END) || ')']]
FROM pg_range r JOIN pg_type t ON t.oid = r.rngtypid JOIN pg_opclass o ON o.oid = r.rngsubopc
JOIN pg_type s ON s.oid = r.rngsubtype JOIN pg_type m ON m.oid = r.rngmultitypid
UNION ALL
SELECT 'range type', 'pg_type'::regclass, u.oid, t.typnamespace, t.typname::text, NULL, NULL
FROM pg_range r JOIN pg_type t ON t.oid = r.rngtypid JOIN pg_type m ON m.oid = r.rngmultitypid,
LATERAL (VALUES (t.typarray), (m.oid), (m.typarray)) u (oid)
WHERE NOT {is_owned("pg_type", "t.oid")}
"""


# The column of the locale has another name in each of PostgreSQL 14, 15 and 17.
_COLLATIONS: LiteralString = """
SELECT 'collation', 'pg_collation'::regclass, l.oid, l.collnamespace, l.collname::text, NULL,
       ARRAY[['definition', '(' || concat_ws(', ',
         'provider = ' || CASE l.collprovider WHEN 'c' THEN 'libc' WHEN 'i' THEN 'icu'
                                              ELSE 'builtin' END,
         CASE WHEN l.collprovider = 'c' AND l.collcollate <> l.collctype
              THEN format('lc_collate = %L, lc_ctype = %L', l.collcollate, l.collctype)
              ELSE format('locale = %L', coalesce(j.item->>'colllocale', j.item->>'colliculocale',
                                                  l.collcollate)) END,
         CASE WHEN NOT l.collisdeterministic THEN 'deterministic = false' END,
         'rules = ' || quote_literal(j.item->>'collicurules')) || ')']]
FROM pg_collation l, LATERAL (SELECT to_jsonb(l) AS item) j
"""


_TEXT_SEARCH: LiteralString = f"""
SELECT 'text search dictionary', 'pg_ts_dict'::regclass, d.oid, d.dictnamespace,
       d.dictname::text, NULL,
       ARRAY[['definition', '(' || concat_ws(', ',
         'TEMPLATE = ' || {name_of("ts_template", "t", "tmpl")}, d.dictinitoption) || ')']]
FROM pg_ts_dict d JOIN pg_ts_template t ON t.oid = d.dicttemplate
UNION ALL
SELECT 'text search configuration', 'pg_ts_config'::regclass, c.oid, c.cfgnamespace,
       c.cfgname::text, NULL,
       ARRAY[['parser', '(PARSER = ' || {name_of("ts_parser", "p", "prs")} || ')']]
       || (SELECT array_agg(ARRAY['mapping ' || m.alias, m.dictionaries] ORDER BY m.alias)
           FROM (SELECT k.alias, string_agg(m.mapdict::regdictionary::text, ', '
                                            ORDER BY m.mapseqno) AS dictionaries
                 FROM pg_ts_config_map m JOIN ts_token_type(c.cfgparser) k
                      ON k.tokid = m.maptokentype
                 WHERE m.mapcfg = c.oid GROUP BY k.alias) m)
FROM pg_ts_config c JOIN pg_ts_parser p ON p.oid = c.cfgparser
"""


# The server creates the cast of a range type to its multirange type.
_CASTS: LiteralString = """
SELECT 'cast', 'pg_cast'::regclass, c.oid, NULL,
       format_type(c.castsource, NULL) || ' AS ' || format_type(c.casttarget, NULL), NULL,
       ARRAY[['definition',
              CASE c.castmethod WHEN 'f' THEN 'WITH FUNCTION ' || c.castfunc::regprocedure
                                WHEN 'i' THEN 'WITH INOUT' ELSE 'WITHOUT FUNCTION' END
              || CASE c.castcontext WHEN 'i' THEN ' AS IMPLICIT' WHEN 'a' THEN ' AS ASSIGNMENT'
                                    ELSE '' END]]
FROM pg_cast c
WHERE NOT EXISTS (SELECT FROM pg_depend e WHERE e.classid = 'pg_cast'::regclass
                  AND e.objid = c.oid AND e.deptype = 'i')
"""


def _operator(oid: LiteralString) -> LiteralString:
    return (
        f"(SELECT CASE WHEN pg_operator_is_visible(p.oid) THEN p.oprname ELSE"
        f" format('OPERATOR(%s.%s)', p.oprnamespace::regnamespace, p.oprname) END"
        f" FROM pg_operator p WHERE p.oid = {oid})"
    )


# An operator without a function is only named as the commutator or negator of another.
_OPERATORS: LiteralString = f"""
SELECT 'operator', 'pg_operator'::regclass, o.oid, o.oprnamespace, o.oprname::text,
       format('%s, %s', coalesce(format_type(nullif(o.oprleft, 0), NULL), 'NONE'),
              format_type(o.oprright, NULL)),
       ARRAY[['definition', '(' || concat_ws(', ', 'FUNCTION = ' || o.oprcode::regproc,
         'LEFTARG = ' || format_type(nullif(o.oprleft, 0), NULL),
         'RIGHTARG = ' || format_type(o.oprright, NULL),
         'COMMUTATOR = ' || {_operator("o.oprcom")}, 'NEGATOR = ' || {_operator("o.oprnegate")},
         'RESTRICT = ' || nullif(o.oprrest::oid, 0)::regproc,
         'JOIN = ' || nullif(o.oprjoin::oid, 0)::regproc,
         CASE WHEN o.oprcanhash THEN 'HASHES' END, CASE WHEN o.oprcanmerge THEN 'MERGES' END)
         || ')']]
FROM pg_operator o WHERE o.oprcode <> 0
"""


_EVENT_TRIGGERS: LiteralString = r"""
SELECT 'event trigger', 'pg_event_trigger'::regclass, v.oid, NULL, v.evtname::text, NULL,
       ARRAY[['definition', 'ON ' || v.evtevent
              || coalesce(E'\n    WHEN TAG IN (' || (SELECT string_agg(quote_literal(t.tag), ', ')
                                                     FROM unnest(v.evttags) t (tag)) || ')', '')
              || E'\n    EXECUTE PROCEDURE ' || v.evtfoid::regproc || '()'],
             ['enabled', CASE v.evtenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA'
                                           WHEN 'A' THEN 'ENABLE ALWAYS' END]]
FROM pg_event_trigger v
"""


# The columns of a table are sorted by name: the server sorts them by number, which depends on when
# they were added. The last rows are the tables of a publication, on which it depends through a
# catalog of its own.
def _publications(version: int) -> LiteralString:
    filters: LiteralString = (
        "coalesce(' (' || (SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attname)"
        " FROM pg_attribute a WHERE a.attrelid = r.prrelid AND a.attnum = ANY (r.prattrs))"
        " || ')', '')"
        " || coalesce(' WHERE (' || pg_get_expr(r.prqual, r.prrelid) || ')', '')"
        if version >= 150000
        else "''"
    )
    namespaces: LiteralString = (
        "(SELECT array_agg(ARRAY['schema ' || s.name, s.name] ORDER BY s.name)"
        " FROM (SELECT n.pnnspid::regnamespace::text AS name"
        " FROM pg_publication_namespace n WHERE n.pnpubid = p.oid) s)"
        if version >= 150000
        else "NULL::text[]"
    )
    return f"""
SELECT 'publication', 'pg_publication'::regclass, p.oid, NULL, p.pubname::text, NULL,
       ARRAY[['all', CASE WHEN p.puballtables THEN 'FOR ALL TABLES' END],
             ['option publish', quote_literal(concat_ws(', ',
               CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END,
               CASE WHEN p.pubdelete THEN 'delete' END,
               CASE WHEN p.pubtruncate THEN 'truncate' END))],
             ['option publish_via_partition_root', p.pubviaroot::text],
             ['option publish_generated_columns', CASE to_jsonb(p)->>'pubgencols'
                WHEN 's' THEN 'stored' WHEN 'n' THEN 'none' END]]
       || (SELECT array_agg(ARRAY['table ' || r.prrelid::regclass::text,
                                  r.prrelid::regclass::text || {filters}]
                            ORDER BY r.prrelid::regclass::text)
           FROM pg_publication_rel r WHERE r.prpubid = p.oid)
       || {namespaces}
FROM pg_publication p
UNION ALL
SELECT 'publication', 'pg_publication_rel'::regclass, r.oid, NULL, p.pubname::text, NULL, NULL
FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
"""


# Only superusers may read the connection string, so columns are named. Options with their default
# are left out, except for the one whose default is not the same in all versions.
def _subscriptions(version: int) -> LiteralString:
    options: list[LiteralString] = [
        "['option binary', CASE WHEN s.subbinary THEN 'true' END]",
        "['option streaming', CASE WHEN s.substream::text = 'p' THEN 'parallel'"
        " WHEN s.substream::text IN ('t', 'true') THEN 'on' ELSE 'off' END]",
        "['option synchronous_commit',"
        " CASE WHEN s.subsynccommit <> 'off' THEN quote_literal(s.subsynccommit) END]",
    ]
    if version >= 150000:
        options += [
            "['option disable_on_error', CASE WHEN s.subdisableonerr THEN 'true' END]",
            "['slot two_phase', CASE WHEN s.subtwophasestate <> 'd' THEN 'true' END]",
        ]
    if version >= 160000:
        options += [
            "['option password_required', CASE WHEN NOT s.subpasswordrequired THEN 'false' END]",
            "['option run_as_owner', CASE WHEN s.subrunasowner THEN 'true' END]",
            "['option origin', CASE WHEN s.suborigin <> 'any' THEN quote_literal(s.suborigin) END]",
        ]
    if version >= 170000:
        options += ["['slot failover', CASE WHEN s.subfailover THEN 'true' END]"]
    return f"""
SELECT 'subscription', 'pg_subscription'::regclass, s.oid, NULL, s.subname::text, NULL,
       ARRAY[['publications', (SELECT string_agg(quote_ident(p.name), ', ' ORDER BY p.name)
                               FROM unnest(s.subpublications) p (name))],
             {", ".join(options)}]
FROM pg_subscription s JOIN pg_database d ON d.oid = s.subdbid
WHERE d.datname = current_database()
"""


def _options(column: LiteralString) -> LiteralString:
    return (
        "'OPTIONS (' || (SELECT string_agg(format('%I %L', x.option_name, x.option_value), ', '"
        f" ORDER BY x.option_name) FROM pg_options_to_table({column}) x) || ')'"
    )


_SERVERS: LiteralString = f"""
SELECT 'foreign data wrapper', 'pg_foreign_data_wrapper'::regclass, w.oid, NULL, w.fdwname::text,
       NULL, ARRAY[['handler', 'HANDLER ' || nullif(w.fdwhandler, 0)::regproc],
                   ['validator', 'VALIDATOR ' || nullif(w.fdwvalidator, 0)::regproc],
                   ['options', {_options("w.fdwoptions")}]]
FROM pg_foreign_data_wrapper w
UNION ALL
SELECT 'foreign server', 'pg_foreign_server'::regclass, s.oid, NULL, s.srvname::text, NULL,
       ARRAY[['type', 'TYPE ' || quote_literal(s.srvtype)],
             ['version', 'VERSION ' || quote_literal(s.srvversion)],
             ['wrapper', 'FOREIGN DATA WRAPPER ' || quote_ident(w.fdwname)]]
       || (SELECT array_agg(ARRAY['option ' || quote_ident(x.option_name),
                                  quote_literal(x.option_value)] ORDER BY x.option_name)
           FROM pg_options_to_table(s.srvoptions) x)
FROM pg_foreign_server s JOIN pg_foreign_data_wrapper w ON w.oid = s.srvfdw
"""


# Without the options, which hold secrets.
_USER_MAPPINGS: LiteralString = """
SELECT 'user mapping', 'pg_user_mapping'::regclass, m.umid, NULL, m.srvname::text,
       coalesce(m.usename::text, 'public'), '{}'::text[]
FROM pg_user_mappings m
"""


# The last rows are the types of their rows, and their constraints.
_FOREIGN_TABLES: LiteralString = f"""
SELECT 'foreign table', 'pg_class'::regclass, c.oid, c.relnamespace, c.relname::text, NULL,
       ARRAY[['parent', CASE WHEN c.relispartition THEN (
                SELECT 'PARTITION OF ' || h.inhparent::regclass FROM pg_inherits h
                WHERE h.inhrelid = c.oid) END],
             ['columns', nullif('(' || concat_ws(', ', (
                SELECT string_agg(concat_ws(' ', quote_ident(a.attname),
                  format_type(a.atttypid, a.atttypmod), {_options("a.attfdwoptions")},
                  CASE WHEN a.attcollation <> y.typcollation
                       THEN 'COLLATE ' || {collation("a.attcollation")} END,
                  CASE WHEN a.attgenerated <> ''
                       THEN format('GENERATED ALWAYS AS (%s) %s', pg_get_expr(d.adbin, d.adrelid),
                                   CASE a.attgenerated WHEN 's' THEN 'STORED' ELSE 'VIRTUAL' END)
                       ELSE 'DEFAULT ' || pg_get_expr(d.adbin, d.adrelid) END,
                  CASE WHEN a.attnotnull THEN 'NOT NULL' END), ', ' ORDER BY a.attnum)
                FROM pg_attribute a JOIN pg_type y ON y.oid = a.atttypid
                LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attislocal
                  AND NOT c.relispartition), (
                SELECT string_agg(format('CONSTRAINT %I %s', k.conname,
                                         pg_get_constraintdef(k.oid)), ', ' ORDER BY k.conname)
                FROM pg_constraint k
                WHERE k.conrelid = c.oid AND k.contype = 'c' AND k.conislocal)) || ')',
                CASE WHEN c.relispartition THEN '()' END)],
             ['bound', CASE WHEN c.relispartition THEN pg_get_expr(c.relpartbound, c.oid) END],
             ['parents', CASE WHEN NOT c.relispartition THEN (
                SELECT 'INHERITS (' || string_agg(h.inhparent::regclass::text, ', '
                                                  ORDER BY h.inhseqno) || ')'
                FROM pg_inherits h WHERE h.inhrelid = c.oid) END],
             ['server', 'SERVER ' || quote_ident(s.srvname)],
             ['options', {_options("t.ftoptions")}]]
FROM pg_foreign_table t JOIN pg_class c ON c.oid = t.ftrelid
JOIN pg_foreign_server s ON s.oid = t.ftserver
UNION ALL
SELECT 'foreign table', u.class, u.oid, c.relnamespace, c.relname::text, NULL, NULL
FROM pg_class c JOIN pg_type t ON t.oid = c.reltype,
LATERAL (SELECT 'pg_type'::regclass, c.reltype UNION ALL SELECT 'pg_type'::regclass, t.typarray
         UNION ALL SELECT 'pg_constraint'::regclass, k.oid FROM pg_constraint k
                   WHERE k.conrelid = c.oid) u (class, oid)
WHERE c.relkind = 'f'
"""


# --- the kinds that are not written -------------------------------------------------------------

_OPERATOR_CLASSES: LiteralString = """
SELECT 'operator class', 'pg_opclass'::regclass, c.oid, c.opcnamespace,
       format('%s USING %s', c.opcname, m.amname),
       concat_ws(' ', format_type(c.opcintype, NULL), f.opfname, c.opcdefault,
                 format_type(nullif(c.opckeytype, 0), NULL),
                 (SELECT string_agg(format('%s %s', a.amopstrategy, a.amopopr::regoperator), ', '
                                    ORDER BY a.amopstrategy, a.amopopr::regoperator::text)
                  FROM pg_amop a WHERE a.amopfamily = c.opcfamily),
                 (SELECT string_agg(format('%s %s', a.amprocnum, a.amproc::regprocedure), ', '
                                    ORDER BY a.amprocnum, a.amproc::regprocedure::text)
                  FROM pg_amproc a WHERE a.amprocfamily = c.opcfamily))
FROM pg_opclass c JOIN pg_am m ON m.oid = c.opcmethod JOIN pg_opfamily f ON f.oid = c.opcfamily
UNION ALL
SELECT 'operator family', 'pg_opfamily'::regclass, f.oid, f.opfnamespace,
       format('%s USING %s', f.opfname, m.amname), ''
FROM pg_opfamily f JOIN pg_am m ON m.oid = f.opfmethod
WHERE NOT EXISTS (SELECT FROM pg_opclass c WHERE c.opcfamily = f.oid AND c.opcname = f.opfname)
"""

_TEXT: LiteralString = """
SELECT 'conversion', 'pg_conversion'::regclass, v.oid, v.connamespace, v.conname::text,
       (to_jsonb(v) - '{oid,conname,connamespace,conowner}'::text[])::text
FROM pg_conversion v
UNION ALL
SELECT 'text search parser', 'pg_ts_parser'::regclass, p.oid, p.prsnamespace, p.prsname::text,
       concat_ws(' ', p.prsstart, p.prstoken, p.prsend, p.prsheadline, p.prslextype)
FROM pg_ts_parser p
UNION ALL
SELECT 'text search template', 'pg_ts_template'::regclass, t.oid, t.tmplnamespace,
       t.tmplname::text, concat_ws(' ', t.tmplinit, t.tmpllexize)
FROM pg_ts_template t
"""

_WITHOUT_NAMESPACE: LiteralString = """
SELECT 'language', 'pg_language'::regclass, l.oid, NULL::oid, l.lanname::text,
       concat_ws(' ', l.lanpltrusted, l.lanplcallfoid::regproc, l.laninline::regproc)
FROM pg_language l
UNION ALL
SELECT 'access method', 'pg_am'::regclass, a.oid, NULL, a.amname::text, a.amhandler::regproc::text
FROM pg_am a
UNION ALL
SELECT 'transform', 'pg_transform'::regclass, t.oid, NULL,
       format('%s LANGUAGE %s', format_type(t.trftype, NULL), l.lanname),
       concat_ws(' ', t.trffromsql::regproc, t.trftosql::regproc)
FROM pg_transform t JOIN pg_language l ON l.oid = t.trflang
"""

# A partition's copy of its parent's trigger that was enabled or disabled separately.
_TRIGGERS: LiteralString = """
SELECT 'switch of the inherited trigger', 'pg_trigger'::regclass, g.oid, c.relnamespace,
       format('%s on %s', g.tgname, c.relname), g.tgenabled::text
FROM pg_trigger g JOIN pg_trigger o ON o.oid = g.tgparentid JOIN pg_class c ON c.oid = g.tgrelid
WHERE NOT o.tgisinternal AND g.tgenabled <> o.tgenabled
"""


def _others() -> LiteralString:
    """Return the query for all objects that dbwarden reads but does not write."""
    parts = (_OPERATOR_CLASSES, _TEXT, _WITHOUT_NAMESPACE, _TRIGGERS)
    return f"""
SELECT 'other' AS kind, s.class, s.number, s.namespace, s.name, s.kind AS part,
       CASE WHEN s.definition IS NOT NULL THEN ARRAY[['definition', s.definition]] END AS clauses
FROM ({" UNION ALL ".join(parts)}) s (kind, class, number, namespace, name, definition)
"""


def plain_objects(version: int) -> LiteralString:
    """Return the query for all objects of kinds without a class of their own."""
    parts: tuple[LiteralString, ...] = (
        _others(),
        _FOREIGN_TABLES,
        _USER_MAPPINGS,
        _SERVERS,
        _publications(version),
        _subscriptions(version),
        _EVENT_TRIGGERS,
        _OPERATORS,
        _CASTS,
        _TEXT_SEARCH,
        _COLLATIONS,
        _RANGES,
    )
    return f"""
SELECT o.class::oid::int8 AS class, o.number::int8 AS oid, o.kind, n.nspname::text AS namespace,
       o.name, o.part, o.clauses, coalesce(obj_description(o.number, o.class::text),
       shobj_description(o.number, o.class::text)) AS comment
FROM ({" UNION ALL ".join(parts)}) o
LEFT JOIN pg_namespace n ON n.oid = o.namespace
WHERE o.number >= 16384 AND (n.oid IS NULL OR {SYSTEM})
  AND NOT EXISTS (SELECT FROM pg_depend e
                  WHERE e.classid = o.class AND e.objid = o.number AND e.deptype = 'e')
"""
