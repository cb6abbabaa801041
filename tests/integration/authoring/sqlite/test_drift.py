"""Differences that are only spelling are none."""

from dbwarden.operations.diff import check_models, drift
from dbwarden.operations.migrate import migrate
from dbwarden.operations.verify import verify
from tests.integration.authoring.lite import Lite
from tests.integration.authoring.sqlite.models import SHOP, USER

LIVE_DEFAULTS = """
    CREATE TABLE t (id INTEGER NOT NULL PRIMARY KEY,
        made DATETIME DEFAULT (datetime('now')), day DATE DEFAULT (date('now')),
        count INTEGER DEFAULT 0, flag BOOLEAN DEFAULT true, price NUMERIC(10, 2) DEFAULT '0.00',
        word VARCHAR(9) DEFAULT '0', local DATETIME DEFAULT (datetime('now', 'localtime')));
    CREATE VIEW v AS SELECT datetime('now') AS now;
"""


async def test_defaults_that_mean_the_same_are_no_difference(lite: Lite) -> None:
    lite.run(LIVE_DEFAULTS)
    lite.models("""
        class T(Base):
            __tablename__ = "t"
            id = Column(Integer, primary_key=True)
            made = Column(DateTime, server_default=func.now())
            day = Column(Date, server_default=func.current_date())
            count = Column(Integer, server_default="0")
            flag = Column(Boolean, server_default=text("1"))
            price = Column(Numeric(10, 2), server_default=text("0"))
            word = Column(String(9), server_default=text("0.0"))
            local = Column(DateTime, server_default=func.now())

        view = DDL("CREATE VIEW v AS SELECT CURRENT_TIMESTAMP AS now")
        event.listen(Base.metadata, "after_create", view)
        """)
    for _ in range(2):
        found = await drift(lite.config, models=True)
        assert [item.what for item in found.differences] == ["column t.local", "column t.word"]


async def test_drift_is_found_and_its_sql_leads_back_to_the_files(lite: Lite) -> None:
    lite.migration(1, "-- upgrade\nCREATE TABLE t (a INT, b TEXT CHECK (b <> ''));\n")
    await migrate(lite.config)
    lite.run("ALTER TABLE t ADD COLUMN sneaky INT; CREATE INDEX ix ON t (b COLLATE NOCASE);")
    found = await drift(lite.config)
    assert {(item.change, item.what) for item in found.differences} == {
        ("drop", "column t.sneaky"),
        ("drop", "index ix"),
    }
    lite.run(found.sql)
    assert (await drift(lite.config)).clean


async def test_only_spelling_is_no_difference(lite: Lite) -> None:
    lite.migration(
        1,
        """
        -- upgrade
        create table "tags" (id integer primary key autoincrement, [word] varchar not null);
        create table orgs (id integer primary key, name varchar not null unique /* once */,
            owner_id integer constraint fk_owner references users);
        create table users (
            id integer primary key, org_id integer not null references orgs(ID),
            email varchar ( 200 ) collate nocase not null, age integer,
            active boolean not null default (1), color varchar(4) not null,
            created_at datetime default (current_timestamp) not null,
            balance numeric(10,2) not null default '0', options json not null default ('{}'),
            twice integer as (AGE*2),
            constraint uq_users_email unique (org_id, email),
            constraint ck_age check (("age">=0 AND age<200)),
            constraint ck_color check (color in ('red','blue')));
        create unique index ix_low on users (Lower("email"));
        create index ix_active on users (created_at) where (active=1);
        create index ix_users_email on users (email collate nocase asc);
        create table posts (id integer primary key, body text,
            author integer not null references users on delete cascade);
        create index ix_posts_author on posts (author);
        create table post_tags (post_id integer not null references posts on delete cascade,
            tag_id integer not null references tags, primary key (post_id, tag_id));
        """,
    )
    lite.models(SHOP)
    assert (await check_models(lite.config)).differences == ()


async def test_names_that_differ_in_capitals_only_are_no_difference(lite: Lite) -> None:
    lite.migration(
        1,
        "-- upgrade\n"
        "CREATE TABLE Users (Id INTEGER PRIMARY KEY, EMail VARCHAR CHECK (email > ''));\n"
        "CREATE INDEX IX_low ON Users (lower(EMail));\n-- rollback\nDROP TABLE users;\n",
    )
    model = (
        USER
        + """
    __table_args__ = (CheckConstraint("email > ''"), Index("ix_low", text("lower(email)")))
"""
    )
    lite.models(model)
    assert (await lite.make()).agree
    lite.models(model + "    age: Mapped[int | None]\n")
    assert "ALTER TABLE Users ADD COLUMN age INTEGER;" in await lite.made()
    assert (await verify(lite.config)).clean
