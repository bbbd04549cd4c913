"""Scores: how near is a result to the truth."""
