-- upgrade
CREATE TABLE notes (
    id INTEGER NOT NULL PRIMARY KEY,
    body VARCHAR NOT NULL
);

-- rollback
DROP TABLE notes;
