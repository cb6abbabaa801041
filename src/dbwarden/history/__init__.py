"""How the files and the ledger of one database stand to each other, and what follows. Pure."""

from dbwarden.history.comparing import Applied, History, compare
from dbwarden.history.rolling_back import plan_rollback
from dbwarden.history.upgrading import plan_upgrade, refuse_unclear

__all__ = ["Applied", "History", "compare", "plan_rollback", "plan_upgrade", "refuse_unclear"]
