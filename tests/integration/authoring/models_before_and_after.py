"""Models before and after a change that rows may stop."""

BEFORE = """
class User(Base):
    __tablename__ = "users"
    __table_args__ = (Index("ix_both", "email", "nick"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    nick: Mapped[str | None]
    boss: Mapped[int | None]
"""

AFTER = """
class User(Base):
    __tablename__ = "users"
    __table_args__ = (
        Index("ix_both", "email", "nick", unique=True),
        CheckConstraint("boss > 0", name="boss_known"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(unique=True)
    nick: Mapped[str]
    boss: Mapped[int | None] = mapped_column(ForeignKey("users.id"), index=True)
"""
