"""The fixtures of dbwarden: ``dbwarden_database`` and the others."""

pytest_plugins = ["dbwarden.testing.plugin"]
