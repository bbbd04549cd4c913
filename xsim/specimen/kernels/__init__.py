"""Compiled loops that rasterise shapes and sum form factors. numba is imported only by those who rasterise."""
