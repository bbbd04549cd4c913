"""Combinators that repeat any instrument over energies, tilts, positions or time."""
