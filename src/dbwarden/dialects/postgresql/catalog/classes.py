"""OIDs of the system catalogs, as used in pg_depend and pg_description.

They are compiled into PostgreSQL and have never changed.
"""

TYPE = 1247
PROC = 1255
CLASS = 1259
ATTRDEF = 2604
CONSTRAINT = 2606
NAMESPACE = 2615
REWRITE = 2618
TRIGGER = 2620
EXTENSION = 3079
POLICY = 3256
STATISTICS = 3381
