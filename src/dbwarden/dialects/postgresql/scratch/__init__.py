"""Scratch databases: where SQL is tried and measured."""
