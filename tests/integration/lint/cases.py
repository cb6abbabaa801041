"""Files for each rule on PostgreSQL: some that fire, and some that do not.

A file is its upgrade; one that says ``-- upgrade`` itself is the whole file. All run after BASE.
"""

from dataclasses import dataclass

BASE = """
CREATE TABLE customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text, ref text);
CREATE TABLE orders (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint,
    total integer,
    note varchar(50),
    placed timestamptz
);
ALTER TABLE orders ADD CONSTRAINT ck_total CHECK (total IS NOT NULL) NOT VALID;
CREATE INDEX ix_orders_note ON orders (note);
CREATE TABLE events (day date NOT NULL, body jsonb) PARTITION BY RANGE (day);
CREATE TABLE events_2026 PARTITION OF events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
CREATE TABLE loose (day date NOT NULL, body jsonb);
CREATE TYPE status AS ENUM ('new', 'paid');
CREATE DOMAIN amount AS integer CHECK (VALUE >= 0);
CREATE MATERIALIZED VIEW emails AS SELECT DISTINCT email FROM customers;
CREATE TABLE coupons (
    code varchar(50) PRIMARY KEY,
    other varchar(9) CHECK (other <> ''),
    size integer GENERATED ALWAYS AS (length(code)) STORED
);
CREATE TABLE keyless (id bigint NOT NULL, number integer);
CREATE UNIQUE INDEX ux_keyless ON keyless (id);
"""

NEW = "CREATE TABLE items (id bigint PRIMARY KEY, name text, price integer, order_id bigint);\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Files that fire a rule, and files that do not."""

    rule: str
    fires: tuple[str, ...]
    quiet: tuple[str, ...]


CASES = (
    Case(
        rule="rewrite",
        fires=(
            "ALTER TABLE orders ALTER COLUMN total TYPE bigint;",
            "ALTER TABLE orders ADD COLUMN token uuid DEFAULT gen_random_uuid();",
            "ALTER TABLE orders ALTER COLUMN placed TYPE timestamp;",
            "DO $$ BEGIN EXECUTE 'ALTER TABLE orders ALTER COLUMN total TYPE numeric'; END $$;",
            "REFRESH MATERIALIZED VIEW emails;",
            "VACUUM FULL orders;",
        ),
        quiet=(
            "ALTER TABLE orders ALTER COLUMN note TYPE varchar(80);",
            "ALTER TABLE orders ADD COLUMN kind text NOT NULL DEFAULT 'web';",
            NEW + "ALTER TABLE items ALTER COLUMN price TYPE bigint;",
            "TRUNCATE orders;",
        ),
    ),
    Case(
        rule="scan-under-lock",
        fires=(
            "ALTER TABLE orders ADD COLUMN kind text;\n"
            "ALTER TABLE orders VALIDATE CONSTRAINT ck_total;",
            "ALTER TABLE events ATTACH PARTITION loose"
            " FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');",
            "LOCK TABLE orders; SELECT count(*) FROM orders;",
        ),
        quiet=(
            "ALTER TABLE orders VALIDATE CONSTRAINT ck_total;",
            "SELECT count(*) FROM orders;",
            "TRUNCATE orders;",
            NEW + "ALTER TABLE items ADD CHECK (price > 0);",
        ),
    ),
    Case(
        rule="blocking-index",
        fires=(
            "CREATE INDEX ix_orders_total ON orders (total);",
            "ALTER TABLE orders ADD CONSTRAINT uq_orders_note UNIQUE (note);",
            "DROP INDEX ix_orders_note;",
            "REINDEX INDEX ix_orders_note;",
            "CREATE INDEX ix_events_body ON events USING gin (body);",
            "ALTER TABLE orders ADD EXCLUDE USING btree (note WITH =);",
        ),
        quiet=(
            "CREATE INDEX CONCURRENTLY ix_orders_total ON orders (total);",
            "DROP INDEX CONCURRENTLY ix_orders_note;",
            "ALTER TABLE keyless ADD CONSTRAINT pk_keyless PRIMARY KEY USING INDEX ux_keyless;",
            NEW + "CREATE INDEX ix_items_name ON items (name);",
            "ALTER TABLE orders DROP COLUMN note;",
            "ALTER TABLE orders ALTER COLUMN note TYPE varchar(80);",
            "ALTER TABLE coupons DROP COLUMN size, ALTER COLUMN code TYPE varchar(80);",
        ),
    ),
    Case(
        rule="constraint-not-valid",
        fires=(
            "ALTER TABLE orders ADD CONSTRAINT fk_orders_customer"
            " FOREIGN KEY (customer_id) REFERENCES customers (id);",
            "ALTER TABLE orders ADD CONSTRAINT ck_positive CHECK (total > 0);",
            "ALTER TABLE orders ADD COLUMN kind text CONSTRAINT ck_kind CHECK (kind <> '');",
        ),
        quiet=(
            "ALTER TABLE orders ADD CONSTRAINT fk_orders_customer"
            " FOREIGN KEY (customer_id) REFERENCES customers (id) NOT VALID;\n"
            "-- @dbwarden:autocommit\nALTER TABLE orders VALIDATE CONSTRAINT fk_orders_customer;",
            "ALTER TABLE orders ADD CONSTRAINT ck_positive CHECK (total > 0) NOT VALID;",
            "ALTER TABLE orders ADD COLUMN seller_id bigint REFERENCES customers (id);",
            NEW + "ALTER TABLE items ADD FOREIGN KEY (order_id) REFERENCES orders (id);",
        ),
    ),
    Case(
        rule="not-null-scan",
        fires=(
            "ALTER TABLE orders ALTER COLUMN note SET NOT NULL;",
            "ALTER TABLE orders ADD COLUMN kind text NOT NULL;",
            "ALTER TABLE keyless ADD PRIMARY KEY (number);",
        ),
        quiet=(
            "-- @dbwarden:autocommit\nALTER TABLE orders VALIDATE CONSTRAINT ck_total;\n"
            "ALTER TABLE orders ALTER COLUMN total SET NOT NULL;",
            "ALTER TABLE orders ADD COLUMN kind text NOT NULL DEFAULT 'web';",
            NEW + "ALTER TABLE items ALTER COLUMN name SET NOT NULL;",
        ),
    ),
    Case(
        rule="type-change",
        fires=(
            "ALTER TABLE orders ALTER COLUMN total TYPE bigint;",
            "ALTER TABLE orders ALTER COLUMN note TYPE varchar(10);",
            "ALTER TABLE orders ALTER COLUMN total TYPE amount;",
        ),
        quiet=(
            "ALTER TABLE orders ALTER COLUMN note TYPE text;",
            "ALTER TABLE orders ALTER COLUMN note TYPE varchar(80);",
            NEW + "ALTER TABLE items ALTER COLUMN price TYPE bigint;",
        ),
    ),
    Case(
        rule="rename",
        fires=(
            "ALTER TABLE orders RENAME COLUMN note TO remark;",
            "ALTER TABLE orders RENAME TO purchases;",
            "CREATE SCHEMA archive; ALTER TABLE orders SET SCHEMA archive;",
        ),
        quiet=(
            "ALTER INDEX ix_orders_note RENAME TO ix_note;",
            "ALTER TABLE orders RENAME CONSTRAINT ck_total TO ck_orders_total;",
            NEW + "ALTER TABLE items RENAME COLUMN name TO title;",
        ),
    ),
    Case(
        rule="drop-column",
        fires=(
            "ALTER TABLE orders DROP COLUMN note;",
            "ALTER TABLE orders DROP COLUMN IF EXISTS total CASCADE;",
        ),
        quiet=(
            "ALTER TABLE orders DROP COLUMN IF EXISTS nothing;",
            NEW + "ALTER TABLE items DROP COLUMN name;",
            "ALTER TABLE orders ADD COLUMN kind text; ALTER TABLE orders DROP COLUMN kind;",
            "ALTER TABLE coupons DROP COLUMN size, ADD COLUMN size integer;",
        ),
    ),
    Case(
        rule="drop-table",
        fires=("DROP TABLE loose;", "DROP TABLE IF EXISTS orders CASCADE;"),
        quiet=(NEW + "DROP TABLE items;", "DROP TABLE IF EXISTS nothing;"),
    ),
    Case(
        rule="backfill-in-transaction",
        fires=(
            "UPDATE orders SET total = 0;",
            "DELETE FROM orders WHERE total IS NULL;",
            "UPDATE orders SET note = c.email FROM customers c WHERE c.id = orders.customer_id;",
            "WITH old AS (DELETE FROM orders WHERE total = 0 RETURNING *) SELECT * FROM old;",
            "DO $$ BEGIN UPDATE orders SET total = 1 WHERE total IS NULL; END $$;",
        ),
        quiet=(
            "UPDATE orders SET total = 0 WHERE id = 4711;",
            "INSERT INTO customers (email) VALUES ('a@example.org');",
            "DELETE FROM orders WHERE id BETWEEN 1 AND 1000;",
            NEW + "UPDATE items SET price = 0;",
        ),
    ),
    Case(
        rule="lock-then-wait",
        fires=(
            "ALTER TABLE orders ADD COLUMN kind text; ALTER TABLE customers ADD COLUMN kind text;",
            "ALTER TABLE orders ADD COLUMN kind text; UPDATE orders SET kind = 'web' WHERE id = 1;",
            "ALTER TABLE orders ADD COLUMN kind text; INSERT INTO customers (email) VALUES ('a');",
        ),
        quiet=(
            "ALTER TABLE orders ADD COLUMN kind text; ALTER TABLE orders ADD COLUMN shop text;",
            "UPDATE orders SET note = '' WHERE id = 1;",
            NEW + "ALTER TABLE orders ADD COLUMN kind text;",
            "ALTER TABLE orders ADD COLUMN kind text;\n"
            "CREATE INDEX CONCURRENTLY ix_orders_kind ON orders (kind);\n"
            "ALTER TABLE customers ADD COLUMN kind text;",
        ),
    ),
    Case(
        rule="volatile-default",
        fires=(
            "ALTER TABLE orders ADD COLUMN token uuid DEFAULT gen_random_uuid();",
            "ALTER TABLE orders ADD COLUMN seen timestamptz DEFAULT clock_timestamp();",
            "ALTER TABLE orders ADD COLUMN number bigserial;",
        ),
        quiet=(
            "ALTER TABLE orders ADD COLUMN seen timestamptz DEFAULT now();",
            "ALTER TABLE orders ALTER COLUMN note SET DEFAULT gen_random_uuid()::text;",
            NEW + "ALTER TABLE items ADD COLUMN token uuid DEFAULT gen_random_uuid();",
        ),
    ),
    Case(
        rule="enum-value-used-in-same-transaction",
        fires=(
            "ALTER TYPE status ADD VALUE 'sent';\n"
            "ALTER TABLE orders ADD COLUMN status status DEFAULT 'sent';",
            "ALTER TYPE status ADD VALUE 'sent'; SELECT 'sent'::status;",
        ),
        quiet=(
            "-- @dbwarden:autocommit\nALTER TYPE status ADD VALUE 'sent';\n"
            "ALTER TABLE orders ADD COLUMN status status DEFAULT 'sent';",
            "ALTER TYPE status ADD VALUE 'sent';\n"
            "ALTER TABLE orders ADD COLUMN status status DEFAULT 'new';",
            "CREATE TYPE mood AS ENUM ('calm'); SELECT 'calm'::mood;",
        ),
    ),
    Case(
        rule="missing-fk-index",
        fires=(
            "ALTER TABLE orders ADD COLUMN seller_id bigint REFERENCES customers (id);",
            NEW + "ALTER TABLE items ADD FOREIGN KEY (order_id) REFERENCES orders (id);",
            NEW + "ALTER TABLE items ADD FOREIGN KEY (order_id) REFERENCES orders (id);\n"
            "CREATE INDEX ix_items ON items (order_id) WHERE price > 0;",
        ),
        quiet=(
            "ALTER TABLE orders ADD COLUMN seller_id bigint REFERENCES customers (id);\n"
            "CREATE INDEX CONCURRENTLY ix_orders_seller ON orders (seller_id);",
            "CREATE TABLE one (id bigint PRIMARY KEY REFERENCES orders (id));",
            "CREATE TABLE two (a bigint REFERENCES orders (id), b bigint, UNIQUE (a, b));",
        ),
    ),
    Case(
        rule="int-primary-key",
        fires=(
            "CREATE TABLE items (id integer PRIMARY KEY);",
            "CREATE TABLE items (id serial PRIMARY KEY);",
            "ALTER TABLE keyless ADD PRIMARY KEY (number);",
        ),
        quiet=(
            "CREATE TABLE items (id bigint PRIMARY KEY);",
            "CREATE TABLE items (a integer, b integer, PRIMARY KEY (a, b));",
            "CREATE TABLE items (id uuid PRIMARY KEY, number integer);",
        ),
    ),
    Case(
        rule="json-not-jsonb",
        fires=("CREATE TABLE items (body json);", "ALTER TABLE orders ADD COLUMN body json;"),
        quiet=("CREATE TABLE items (body jsonb);", "ALTER TABLE orders ADD COLUMN json text;"),
    ),
    Case(
        rule="timestamp-without-zone",
        fires=(
            "CREATE TABLE items (made timestamp);",
            "ALTER TABLE orders ALTER COLUMN placed TYPE timestamp(3);",
        ),
        quiet=(
            "CREATE TABLE items (made timestamptz);",
            "ALTER TABLE orders ADD COLUMN made date;",
        ),
    ),
    Case(
        rule="identifier-too-long",
        fires=(
            f"CREATE INDEX CONCURRENTLY ix_{'x' * 70} ON orders (total);",
            f'ALTER TABLE orders ADD COLUMN "{"é" * 40}" text;',
        ),
        quiet=(
            f"CREATE INDEX CONCURRENTLY {'x' * 63} ON orders (total);",
            f"COMMENT ON TABLE orders IS '{'x' * 90}';",
        ),
    ),
    Case(
        rule="no-rollback",
        fires=(
            "-- upgrade\nCREATE TABLE items (id bigint);\n",
            "-- upgrade\nCREATE TABLE items (id bigint);\n-- rollback\n-- later\n",
        ),
        quiet=(
            "-- upgrade\nCREATE TABLE items (id bigint);\n-- rollback\nDROP TABLE items;\n",
            "-- dbwarden: irreversible\n-- upgrade\nCREATE TABLE items (id bigint);\n",
        ),
    ),
    Case(
        rule="undeclared-loss",
        fires=(
            "-- upgrade\nALTER TABLE orders DROP COLUMN note;\n"
            "-- rollback\nALTER TABLE orders ADD COLUMN note varchar(50);\n",
            "-- dbwarden: loses customers\n-- upgrade\nDROP TABLE loose;\n"
            "-- rollback\nCREATE TABLE loose (day date);\n",
            "-- upgrade\n"
            "ALTER TABLE orders ALTER COLUMN note TYPE varchar(5) USING left(note, 5);\n"
            "-- rollback\nALTER TABLE orders ALTER COLUMN note TYPE varchar(50);\n",
        ),
        quiet=(
            "-- dbwarden: loses orders.note\n-- upgrade\nALTER TABLE orders DROP COLUMN note;\n"
            "-- rollback\nALTER TABLE orders ADD COLUMN note varchar(50);\n",
            "-- dbwarden: irreversible\n-- upgrade\nDROP TABLE loose;\n",
            "-- dbwarden: loses events.body\n-- upgrade\nALTER TABLE events DROP COLUMN body;\n"
            "-- rollback\nALTER TABLE events ADD COLUMN body jsonb;\n",
            "-- upgrade\nALTER TABLE coupons DROP COLUMN size;\n-- rollback\nSELECT 1;\n",
            "-- upgrade\nALTER TABLE orders ALTER COLUMN note TYPE varchar(80);\n"
            "-- rollback\nALTER TABLE orders ALTER COLUMN note TYPE varchar(50);\n",
        ),
    ),
    Case(
        rule="data-and-ddl-mixed",
        fires=(
            "ALTER TABLE orders ADD COLUMN kind text; UPDATE orders SET kind = 'web' WHERE id = 1;",
            "INSERT INTO customers (email) VALUES ('a'); ALTER TABLE orders DROP COLUMN note;",
        ),
        quiet=(
            "ALTER TABLE orders ADD COLUMN kind text;",
            "INSERT INTO customers (email) VALUES ('a');",
            NEW + "INSERT INTO items (id) VALUES (1); INSERT INTO customers (email) VALUES ('a');",
            "-- @dbwarden:autocommit\nUPDATE orders SET note = '' WHERE id = 1;\n"
            "ALTER TABLE orders ADD COLUMN kind text;",
        ),
    ),
    Case(
        rule="requires-missing",
        fires=(
            "-- requires: nothing@0001\n-- upgrade\nSELECT 1;\n",
            "-- requires: other@0002\n-- upgrade\nSELECT 1;\n",
        ),
        quiet=(
            "-- requires: other@0001\n-- upgrade\nSELECT 1;\n",
            "-- upgrade\nSELECT 1;\n",
        ),
    ),
    Case(
        rule="naming",
        fires=(
            "CREATE INDEX CONCURRENTLY orders_total ON orders (total);",
            'CREATE TABLE Item (id bigint); ALTER TABLE item RENAME TO "Items";',
            "ALTER TABLE orders ADD CONSTRAINT positive CHECK (total > 0) NOT VALID;",
        ),
        quiet=(
            "CREATE INDEX CONCURRENTLY ix_orders_total ON orders (total);",
            "CREATE TABLE items (id bigint, CONSTRAINT ck_items_id CHECK (id > 0));",
            'ALTER TABLE orders ADD COLUMN "Kind" text;',  # columns have no pattern
        ),
    ),
    Case(
        rule="unused-allow",
        fires=(
            "-- dbwarden: allow rewrite: it is small\n-- upgrade\nSELECT 1;\n",
            "-- upgrade\n-- @dbwarden:allow drop-column: unused\n"
            "ALTER TABLE orders ADD COLUMN a int;\n"
            "ALTER TABLE orders DROP COLUMN note;\n",
        ),
        quiet=(
            "-- dbwarden: allow drop-column: unused\n-- upgrade\n"
            "ALTER TABLE orders DROP COLUMN note;\n",
            "-- upgrade\nALTER TABLE orders ADD COLUMN a int;\n"
            "-- @dbwarden:allow drop-column: unused\nALTER TABLE orders DROP COLUMN note;\n",
        ),
    ),
)
NAMING = {"table": "[a-z_]+", "index": "ix_.*", "check": "ck_.*"}
