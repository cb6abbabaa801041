-- upgrade
CREATE TABLE users (
    id INTEGER NOT NULL PRIMARY KEY,
    email VARCHAR NOT NULL
);

-- rollback
DROP TABLE users;
