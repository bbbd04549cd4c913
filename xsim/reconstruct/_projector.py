"""Line integrals of a stack of slices and their exact transpose, by Joseph's method in compiled loops.

A ray of angle theta at t meets the points t = s cos theta - z sin theta. It is followed row by row (or column by
column, whichever it crosses more steeply) with linear interpolation across, times the length of one step; the
transpose spreads with the same weights. Slices lie beside each other along the rotation axis, the last dimension, so
that one step of a ray serves all of them. Coordinates are pixels counted from n//2, as everywhere in xsim.
Reference: Joseph, IEEE Trans. Med. Imaging 1, 192 (1982), doi 10.1109/TMI.1982.4307572.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from xsim.exposure import Array
from xsim.threads import share, spans

#: slices worked on at a time by one thread
_BLOCK = 32


def project(volume: Array, theta: Array, rays: int) -> Array:
    """Sums along the rays (tilts, rays, along) of `volume` (z, s, along), float32; theta (tilts,) [rad]."""
    out = np.zeros((len(theta), rays, volume.shape[2]), np.float32)
    values = np.ascontiguousarray(volume, np.float32)
    jobs = [(values, np.asarray(theta, np.float64), out, a, b, True) for a, b in spans(volume.shape[2], _BLOCK)]
    share(_walk, jobs)
    return out


def spread(rays: Array, theta: Array, shape: tuple[int, int]) -> Array:
    """The transpose: `rays` (tilts, rays, along) smeared back over slices of `shape` (z, s): (z, s, along) float32."""
    out = np.zeros((*shape, rays.shape[2]), np.float32)
    values = np.ascontiguousarray(rays, np.float32)
    jobs = [(out, np.asarray(theta, np.float64), values, a, b, False) for a, b in spans(rays.shape[2], _BLOCK)]
    share(_walk, jobs)
    return out


@njit(cache=True, nogil=True)
def _walk(volume, theta, rays, first, last, forward):  # type: ignore[no-untyped-def]
    nz, ns = volume.shape[0], volume.shape[1]
    nt = rays.shape[1]
    for a in range(theta.shape[0]):
        c, s = math.cos(theta[a]), math.sin(theta[a])
        steep = abs(c) >= abs(s)  # the ray crosses every row z once
        steps, across = (nz, ns) if steep else (ns, nz)
        length = 1.0 / (abs(c) if steep else abs(s))
        for r in range(nt):
            t = r - nt // 2
            for k in range(steps):
                h = k - steps // 2
                place = (t + h * s) / c if steep else (h * c - t) / s
                place += across // 2
                low = math.floor(place)
                part = place - low
                for side in range(2):
                    at = int(low) + side
                    if at < 0 or at >= across:
                        continue
                    weight = np.float32(length * (part if side == 1 else 1.0 - part))
                    z, x = (k, at) if steep else (at, k)
                    if forward:
                        for i in range(first, last):
                            rays[a, r, i] += weight * volume[z, x, i]
                    else:
                        for i in range(first, last):
                            volume[z, x, i] += weight * rays[a, r, i]
