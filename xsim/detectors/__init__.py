"""Detectors: from expected photons to counts, one file per detector."""
