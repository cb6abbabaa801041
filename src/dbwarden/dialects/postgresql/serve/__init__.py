"""Engines for the application's sessions."""
