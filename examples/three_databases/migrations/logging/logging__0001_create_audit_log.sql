-- upgrade
CREATE TABLE audit_log (
    id INTEGER PRIMARY KEY,
    action VARCHAR(100) NOT NULL,
    user_id INTEGER,
    at TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP
);

-- rollback
DROP TABLE audit_log;
