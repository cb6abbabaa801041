-- upgrade
CREATE TABLE events (
    id INTEGER NOT NULL PRIMARY KEY,
    user_id INTEGER NOT NULL,
    user_email VARCHAR NOT NULL,
    event_type VARCHAR NOT NULL
);

-- rollback
DROP TABLE events;
