"""Small helpers that several shapes share: unit vectors, checked arrays, stable special functions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from xsim.specimen.shape import FloatArray


def random_directions(count: int, rng: np.random.Generator) -> FloatArray:
    """Unit vectors (count, 3), uniform on the sphere."""
    z = rng.uniform(-1.0, 1.0, count)
    phi = rng.uniform(0.0, 2 * np.pi, count)
    s = np.sqrt(1.0 - z * z)
    return np.stack([s * np.cos(phi), s * np.sin(phi), z], axis=-1)


def ball_amplitude(x: FloatArray) -> FloatArray:
    """3 (sin x - x cos x) / x^3 for x >= 0, with 1 at zero; relative error below 1e-14 near zero."""
    x = np.asarray(x, np.float64)
    small = x < 0.5
    safe = np.where(small, 1.0, x)
    far = 3.0 * (np.sin(safe) - safe * np.cos(safe)) / safe**3
    t = np.where(small, x * x, 0.0)
    near = 1 - t / 10 * (1 - t / 28 * (1 - t / 54 * (1 - t / 88 * (1 - t / 130 * (1 - t / 180)))))
    return np.asarray(np.where(small, near, far))


def sinc(x: FloatArray) -> FloatArray:
    """sin(x)/x."""
    return np.asarray(np.sinc(np.asarray(x) / np.pi))


def lengths(q: FloatArray) -> FloatArray:
    """|q| of q (..., 3)."""
    return np.asarray(np.sqrt(np.einsum("...i,...i->...", q, q)))


def as_complex(values: FloatArray) -> NDArray[np.complex128]:
    """The form factor of a body with inversion symmetry, which is real, as the protocol's complex array."""
    return np.asarray(values, np.complex128)
