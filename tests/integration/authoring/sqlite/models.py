"""Models, rows and tables of a small shop."""

SHOP = """
post_tags = Table("post_tags", Base.metadata,
    Column("post_id", ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True),
    Column("tag_id", ForeignKey("tags.id"), primary_key=True))

class Color(enum.Enum):
    red = "red"
    blue = "blue"

class Org(Base):
    __tablename__ = "orgs"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)
    owner_id: Mapped[int | None] = mapped_column(
        ForeignKey("users.id", use_alter=True, name="fk_owner"))

class User(Base):
    __tablename__ = "users"
    __table_args__ = (
        UniqueConstraint("org_id", "email", name="uq_users_email"),
        CheckConstraint("age >= 0 and age < 200", name="ck_age"),
        Index("ix_low", func.lower(text("email")), unique=True),
        Index("ix_active", "created_at", sqlite_where=text("active = 1")),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    org_id: Mapped[int] = mapped_column(ForeignKey("orgs.id"))
    email: Mapped[str] = mapped_column(String(200, collation="NOCASE"), index=True)
    age: Mapped[int | None]
    active: Mapped[bool] = mapped_column(server_default=true())
    color: Mapped[Color] = mapped_column(Enum(Color, create_constraint=True, name="ck_color"))
    created_at: Mapped[datetime] = mapped_column(server_default=func.now())
    balance: Mapped[Decimal] = mapped_column(Numeric(10, 2), server_default="0")
    options: Mapped[dict] = mapped_column(JSON, server_default=text("'{}'"))
    twice: Mapped[int | None] = mapped_column(Computed("age * 2"))

class Post(Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    author: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    body: Mapped[str | None] = mapped_column(Text)

class Tag(Base):
    __tablename__ = "tags"
    __table_args__ = {"sqlite_autoincrement": True}
    id: Mapped[int] = mapped_column(primary_key=True)
    word: Mapped[str]
"""

ROWS = """
    INSERT INTO orgs (id, name) VALUES (1, 'a'), (2, 'b');
    INSERT INTO users (id, org_id, email, age, color) VALUES (1, 1, 'x', 3, 'red');
    INSERT INTO posts VALUES (1, 1, 'hello'), (2, 1, NULL);
    INSERT INTO tags (word) VALUES ('w'); INSERT INTO post_tags VALUES (1, 1);
"""

HANDMADE = """
-- upgrade
CREATE TABLE users (id INTEGER NOT NULL, email VARCHAR, PRIMARY KEY (id));
CREATE VIEW loud AS SELECT upper(email) AS email FROM users; -- a comment
CREATE TRIGGER tidy AFTER INSERT ON users BEGIN
    UPDATE users SET email = trim(new.email) WHERE id = new.id;
END;
CREATE VIRTUAL TABLE docs USING fts5(body);

-- rollback
DROP TABLE docs;
DROP TRIGGER tidy;
DROP VIEW loud;
DROP TABLE users;
"""

USER = """
class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str | None]
"""

RICH = """
    CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT COLLATE NOCASE NOT NULL
        UNIQUE ON CONFLICT REPLACE, class VARCHAR(9) DEFAULT 'a', text TEXT, odd "Odd Type",
        amount DECIMAL(10, 2) DEFAULT (1 + 1), at DATETIME DEFAULT (datetime('now') || 'Z'),
        untyped, flag BOOLEAN DEFAULT TRUE, level INT NOT NULL ON CONFLICT IGNORE DEFAULT -1,
        twice INT GENERATED ALWAYS AS (level * 2) STORED,
        boss INT REFERENCES users ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
        CONSTRAINT filled CHECK (email <> 'x:y' AND class IN ('a', 'b')), CHECK (level > -9));
    CREATE TABLE "Odd name" (a TEXT, b TEXT COLLATE RTRIM, PRIMARY KEY (b DESC, a)) WITHOUT ROWID;
    CREATE TABLE log (at TEXT, what ANY, user REFERENCES users (id)) STRICT;
    CREATE TABLE loose (a REFERENCES gone, UNIQUE (a COLLATE NOCASE DESC));
    CREATE TABLE parent (x INT, y INT, UNIQUE (x, y));
    CREATE TABLE child (x INT, y INT, FOREIGN KEY (x, y) REFERENCES parent (x, y)
        ON UPDATE CASCADE);
    CREATE UNIQUE INDEX ix_low ON users (lower(email) DESC, level + 1) WHERE class = 'a';
    CREATE INDEX ix_two ON users (class COLLATE NOCASE DESC, at);
    CREATE VIEW v (one, two) AS SELECT id, email FROM users;
    CREATE VIEW w AS SELECT one FROM v;
    CREATE TRIGGER g INSTEAD OF DELETE ON w BEGIN DELETE FROM users WHERE id = old.one; END;
    CREATE TRIGGER h AFTER UPDATE OF email ON users WHEN new.email = 'a:b%'
        BEGIN INSERT INTO log VALUES ('now', 1, new.id); END;
    CREATE VIRTUAL TABLE docs USING fts5(body, tokenize = 'porter');
""".replace("user REFERENCES", "user INT REFERENCES")
