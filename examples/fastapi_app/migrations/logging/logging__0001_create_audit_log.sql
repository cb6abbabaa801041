-- upgrade
CREATE TABLE audit_log (
    id INTEGER NOT NULL PRIMARY KEY,
    action VARCHAR NOT NULL,
    user_id INTEGER NOT NULL
);

-- rollback
DROP TABLE audit_log;
