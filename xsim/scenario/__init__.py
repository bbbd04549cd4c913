"""Scenario files: schema, loading, checking and running."""
