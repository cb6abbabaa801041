"""Compare files and ledger of one database, and plan upgrades and rollbacks. Pure."""
