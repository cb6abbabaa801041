-- upgrade
CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    user_email VARCHAR(255) NOT NULL,
    event_type VARCHAR(50) NOT NULL
);

-- rollback
DROP TABLE events;
