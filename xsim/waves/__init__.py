"""Grids, wavefields, the one FFT door, propagators and coherence modes."""
