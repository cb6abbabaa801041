"""Query grants and default privileges; read on demand."""

from typing import LiteralString

from dbwarden.dialects.postgresql.catalog.queries import SYSTEM

# Privileges that differ from the server's defaults.
GRANTS: LiteralString = f"""
WITH o AS (
  SELECT 'pg_class'::regclass AS class, c.oid, n.nspname, c.relacl AS acl, c.relowner AS owner,
         (CASE WHEN c.relkind = 'S' THEN 's' ELSE 'r' END)::"char" AS kind, '' AS suffix,
         format('%s %I.%I', CASE WHEN c.relkind = 'S' THEN 'SEQUENCE' ELSE 'TABLE' END,
                n.nspname, c.relname) AS target
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  UNION ALL
  SELECT 'pg_class'::regclass, c.oid, n.nspname, a.attacl, c.relowner, 'c'::"char",
         format(' (%I)', a.attname), format('TABLE %I.%I', n.nspname, c.relname)
  FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
  JOIN pg_namespace n ON n.oid = c.relnamespace WHERE a.attacl IS NOT NULL AND NOT a.attisdropped
  UNION ALL
  SELECT 'pg_proc'::regclass, p.oid, n.nspname, p.proacl, p.proowner, 'f'::"char", '',
         format('ROUTINE %I.%I(%s)', n.nspname, p.proname, oidvectortypes(p.proargtypes))
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
  UNION ALL
  SELECT 'pg_type'::regclass, t.oid, n.nspname, t.typacl, t.typowner, 'T'::"char", '',
         format('TYPE %I.%I', n.nspname, t.typname)
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
  UNION ALL
  SELECT 'pg_namespace'::regclass, n.oid, n.nspname, n.nspacl, n.nspowner, 'n'::"char", '',
         format('SCHEMA %I', n.nspname)
  FROM pg_namespace n WHERE n.nspname <> 'public'
), x AS (
  SELECT o.class, o.oid, o.target, o.nspname, e.grantee,
         e.privilege_type || o.suffix AS privilege, e.is_grantable AS grantable,
         1 AS has, 0 AS had
  FROM o, aclexplode(o.acl) e
  UNION ALL
  SELECT o.class, o.oid, o.target, o.nspname, e.grantee, e.privilege_type || o.suffix, false, 0, 1
  FROM o, aclexplode(acldefault(o.kind, o.owner)) e WHERE o.acl IS NOT NULL AND o.kind <> 'c'
), s AS (
  SELECT n.class, n.oid, n.target, n.nspname, n.grantee, n.privilege,
         bool_or(n.grantable) AS grantable, max(n.has) AS has, max(n.had) AS had
  FROM x n GROUP BY 1, 2, 3, 4, 5, 6
)
SELECT n.class::oid::int8 AS class, n.oid::int8 AS oid, n.target,
       coalesce(r.rolname::text, 'public') AS role,
       coalesce(array_agg(n.privilege ORDER BY n.privilege) FILTER (WHERE n.had = 0 OR n.grantable),
                '{{}}') AS privileges,
       coalesce(array_agg(n.privilege ORDER BY n.privilege) FILTER (WHERE n.grantable), '{{}}')
       AS grantable,
       coalesce(array_agg(n.privilege ORDER BY n.privilege) FILTER (WHERE n.has = 0), '{{}}')
       AS revoked
FROM s n LEFT JOIN pg_roles r ON r.oid = n.grantee
WHERE {SYSTEM} GROUP BY 1, 2, 3, 4
HAVING bool_or(n.has <> n.had OR n.grantable)
"""


DEFAULT_PRIVILEGES: LiteralString = """
WITH o AS (
  SELECT d.oid, d.defaclrole, d.defaclnamespace, d.defaclobjtype, d.defaclacl,
         acldefault(CASE WHEN d.defaclobjtype = 'S' THEN 's' ELSE d.defaclobjtype END,
                    d.defaclrole) AS initial
  FROM pg_default_acl d
), x AS (
  SELECT o.oid, e.grantee, e.privilege_type, e.is_grantable, 1 AS has, 0 AS had
  FROM o, aclexplode(o.defaclacl) e
  UNION ALL
  SELECT o.oid, e.grantee, e.privilege_type, false, 0, 1
  FROM o, aclexplode(o.initial) e WHERE o.defaclnamespace = 0
), s AS (
  SELECT oid, grantee, privilege_type, bool_or(is_grantable) AS grantable,
         max(has) AS has, max(had) AS had
  FROM x GROUP BY 1, 2, 3
)
SELECT nullif(g.rolname, current_user)::text AS grantor, n.nspname::text AS namespace,
       CASE o.defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES'
            WHEN 'f' THEN 'FUNCTIONS' WHEN 'T' THEN 'TYPES' WHEN 'n' THEN 'SCHEMAS' END AS objects,
       coalesce(r.rolname::text, 'public') AS role,
       coalesce(array_agg(s.privilege_type ORDER BY s.privilege_type)
                FILTER (WHERE s.had = 0 OR s.grantable), '{}') AS privileges,
       coalesce(array_agg(s.privilege_type ORDER BY s.privilege_type)
                FILTER (WHERE s.grantable), '{}') AS grantable,
       coalesce(array_agg(s.privilege_type ORDER BY s.privilege_type)
                FILTER (WHERE s.has = 0), '{}') AS revoked
FROM s JOIN o ON o.oid = s.oid
JOIN pg_roles g ON g.oid = o.defaclrole
LEFT JOIN pg_roles r ON r.oid = s.grantee
LEFT JOIN pg_namespace n ON n.oid = o.defaclnamespace
GROUP BY g.rolname, 2, 3, 4 HAVING bool_or(s.has <> s.had OR s.grantable)
"""
