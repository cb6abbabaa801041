"""Compare files and ledger of one database, and plan upgrades and rollbacks. Pure."""

from dbwarden.planning.comparing import Applied, History, compare
from dbwarden.planning.rolling_back import RollbackPlan, plan_rollback
from dbwarden.planning.upgrading import plan_upgrade, refuse_unclear

__all__ = [
    "Applied",
    "History",
    "RollbackPlan",
    "compare",
    "plan_rollback",
    "plan_upgrade",
    "refuse_unclear",
]
