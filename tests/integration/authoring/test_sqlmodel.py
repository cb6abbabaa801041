"""Models of SQLModel, in both directions."""

import pytest

from tests.integration.authoring.conftest import Project

pytest.importorskip("sqlmodel", reason="SQLModel is not installed")

HEAD = """
from decimal import Decimal
from enum import Enum
from uuid import UUID, uuid4
from sqlalchemy import Column, Index, JSON, text
from sqlalchemy.orm import registry
from sqlmodel import Field, MetaData, Relationship, SQLModel as Whole

class SQLModel(Whole, registry=registry()):
    metadata = MetaData(naming_convention={
        "ix": "ix_%(column_0_label)s", "fk": "fk_%(table_name)s_%(column_0_name)s"
    })

class Mood(str, Enum):
    glad = "glad"
    sad = "sad"
"""
BEFORE = """
class Team(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    name: str = Field(unique=True)

class Hero(SQLModel, table=True):
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    secret: str = Field(index=True)
    mood: Mood
    team_id: int | None = Field(default=None, foreign_key="team.id")
"""
AFTER = """
class Team(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    title: str = Field(
        unique=True, max_length=80, sa_column_kwargs={"info": {"renamed_from": "name"}}
    )
    heroes: list["Hero"] = Relationship(back_populates="team", cascade_delete=True)

class Hero(SQLModel, table=True):
    __table_args__ = (Index("ix_poor", "worth", postgresql_where=text("worth < 1")),)
    id: UUID = Field(default_factory=uuid4, primary_key=True)
    secret: str
    mood: Mood | None = None
    worth: Decimal = Field(
        default=0, max_digits=10, decimal_places=2, sa_column_kwargs={"server_default": "0"}
    )
    more: dict = Field(default={}, sa_column=Column(JSON))
    team_id: int | None = Field(default=None, foreign_key="team.id", ondelete="CASCADE")
    team: Team | None = Relationship(back_populates="heroes")
"""


async def test_sqlmodel_is_written_and_changed_like_any_models(project: Project) -> None:
    project.models(BEFORE, base=HEAD)
    text = await project.made("before")
    assert "CREATE TYPE mood AS ENUM" in text
    assert "id UUID NOT NULL" in text

    project.models(AFTER, base=HEAD)
    text = await project.made("after", allow_drop=["team.title"])

    assert "RENAME COLUMN name TO title" in text
    assert "ADD COLUMN worth NUMERIC(10, 2) DEFAULT '0' NOT NULL" in text
    assert "ON DELETE CASCADE" in text
    assert "DROP INDEX ix_hero_secret" in text
