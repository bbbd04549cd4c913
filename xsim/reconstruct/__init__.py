"""Reconstruction from a measurement alone."""
