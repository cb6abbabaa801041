"""Kinds of databases, one folder each."""
