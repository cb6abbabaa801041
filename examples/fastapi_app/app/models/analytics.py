"""What is counted and reported."""

from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """The tables of the analytics database."""


class Event(Base):
    """Something that a user did; the address stands here too, because no join reaches it."""

    __tablename__ = "events"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[int]
    user_email: Mapped[str]
    event_type: Mapped[str]
