"""A table, a function, a view and a trigger of hand-written migrations."""

USER = """
class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str | None]
"""

USERS = """
-- upgrade
CREATE TABLE users (id serial PRIMARY KEY, email varchar);
CREATE FUNCTION shout(word text) RETURNS text LANGUAGE sql AS $$ SELECT upper(word) $$;
CREATE VIEW loud AS SELECT shout(email) AS email FROM users;

-- rollback
DROP VIEW loud;
DROP FUNCTION shout(text);
DROP TABLE users;
"""

TRIGGER = """
-- upgrade
CREATE FUNCTION tidied() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;
CREATE TRIGGER tidy BEFORE INSERT ON users
    FOR EACH ROW WHEN (new.email > '') EXECUTE FUNCTION tidied();

-- rollback
DROP TRIGGER tidy ON users;
DROP FUNCTION tidied;
"""

NOT_NULLS = """
-- upgrade
CREATE TABLE t (id int PRIMARY KEY, a int, b int, c int CONSTRAINT c_there NOT NULL);
ALTER TABLE t ADD CONSTRAINT a_there NOT NULL a NOT VALID;
ALTER TABLE t ADD CONSTRAINT b_there NOT NULL b NO INHERIT;
"""
