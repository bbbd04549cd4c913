"""Absorbed dose and what it allows."""
