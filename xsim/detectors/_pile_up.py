"""Pile-up: photons that arrive within the resolving time of the one before are recorded as one of their summed energy.

At a true rate R every event holds n photons with probability exp(-x) (1 - exp(-x))^(n-1), x = R tau, tau the resolving
time: an event goes on as long as each gap to the next photon is shorter than tau. The gaps after the first photon of a
recorded event know nothing of what was before, so this law of n is exact for either kind of dead time >= tau; that n
and the number of recorded events are drawn independently is exact for a non-paralysable one and neglects, for a
paralysable one, that a crowded event also lengthens its own dead time (a correlation, of no effect on any mean).
Spectrum of a recorded event: sum_n p_n f*f*...*f, f the noise-free spectrum of one photon; all photons of an event
share one electronic noise. Photons that pile up partly, on the slope of a pulse, are not modelled: their sums would
fill the continuum below the sum peaks.
References: Gardner & Lee, Adv. X-ray Anal. 41, 941 (1999); Knoll, Radiation Detection and Measurement, ch. 17.VII.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

Array = NDArray[np.float64]

#: share of the events in sums of more photons than are added up
LEAST = 1e-9
_MOST = 64
_REACH = 8.5  # standard deviations of the noise


def one_more(rate: Array, resolving_time: float) -> Array:
    """Chance 1 - exp(-R tau) that another photon falls into an event, at rates R [1/s]."""
    return np.asarray(-np.expm1(-np.asarray(rate) * resolving_time))


def piled(single: Array, clean: Array, more: float, zero: float, noise: float) -> Array:
    """Chances (channels,) that a recorded event is found in each channel.

    single: (channels,) of one photon, with noise; clean: (m,) of one photon without it, on channels from 0 eV to the
    end of the last; more: chance of another photon; zero: where the first channel begins and noise: its standard
    deviation, both in channels.
    """
    from scipy.signal import fftconvolve

    found = (1 - more) * single
    if more <= 0:
        return found
    sums, weight = clean, 1 - more
    for photons in range(2, _MOST):
        sums = fftconvolve(sums, clean)[: len(clean)]
        weight *= more
        found = found + weight * _recorded(sums, photons, zero, noise, len(single))
        if weight * more < LEAST:
            break
    return np.clip(found, 0, None)


def _recorded(sums: Array, photons: int, zero: float, noise: float, channels: int) -> Array:
    """Sums of channel numbers (m,) of so many photons, put into channels with the noise and their place within each."""
    sigma = np.sqrt(noise**2 + photons / 12)
    middle = photons / 2 - zero
    reach = int(np.ceil(_REACH * sigma)) + 1
    first = int(np.floor(middle)) - reach
    edges = np.arange(first, first + 2 * reach + 2)
    kernel = np.diff(ndtr((edges - middle) / sigma))
    wide = np.convolve(sums, kernel)  # entry k lies in channel k + first
    out = np.zeros(channels)
    start, stop = max(0, first), min(channels, first + len(wide))
    out[start:stop] = wide[start - first : stop - first]
    return out
