"""Techniques compared for one specimen."""
