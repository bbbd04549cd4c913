"""Rotation matrices, quaternions and uniform random orientations.

A rotation takes vectors from a part's frame (or the specimen's) to the laboratory frame: r_lab = R r. Quaternions
are w, x, y, z with w >= 0. Uniform random rotations follow Shoemake (Graphics Gems III, 1992): a normalised
four-dimensional Gaussian vector is uniform on the unit quaternions.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from xsim.errors import RangeError

FloatArray = NDArray[np.float64]


def from_quaternion(quaternion: FloatArray) -> FloatArray:
    """Matrices (..., 3, 3) of quaternions (..., 4) in the order w, x, y, z; they are normalised first."""
    q = np.asarray(quaternion, np.float64)
    norm = np.linalg.norm(q, axis=-1, keepdims=True)
    if not np.all(norm > 0):
        raise RangeError("a quaternion of zero length is no rotation", value=q.tolist(), allowed="length > 0")
    w, x, y, z = np.moveaxis(q / norm, -1, 0)
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows, np.float64), (0, 1), (-2, -1))


def to_quaternion(matrices: FloatArray) -> FloatArray:
    """Quaternions (..., 4), w >= 0, of rotation matrices (..., 3, 3)."""
    m = np.asarray(matrices, np.float64)
    t = np.trace(m, axis1=-2, axis2=-1)
    # The symmetric 4x4 matrix 4 q q^T (with q = w, x, y, z): its largest column is stable whatever the angle.
    d = [m[..., i, i] for i in range(3)]
    k = np.empty((*m.shape[:-2], 4, 4))
    k[..., 0, 0] = 1 + t
    for i in range(3):
        k[..., i + 1, i + 1] = 1 + 2 * d[i] - t
    pairs = {(0, 1): (2, 1), (0, 2): (0, 2), (0, 3): (1, 0)}
    for (a, b), (i, j) in pairs.items():
        k[..., a, b] = k[..., b, a] = m[..., i, j] - m[..., j, i]
    for a, b, i, j in ((1, 2, 0, 1), (1, 3, 0, 2), (2, 3, 1, 2)):
        k[..., a, b] = k[..., b, a] = m[..., i, j] + m[..., j, i]
    best = np.argmax(np.diagonal(k, axis1=-2, axis2=-1), axis=-1)
    q = np.take_along_axis(k, best[..., None, None], axis=-1)[..., 0]
    q = q / np.linalg.norm(q, axis=-1, keepdims=True)
    return np.where(q[..., :1] < 0, -q, q)


def about(axis: str | FloatArray, angle: float) -> FloatArray:
    """Matrix (3, 3) of a right-handed turn by `angle` [rad] about "x", "y", "z" or a vector (3,)."""
    vector = np.eye(3)["xyz".index(axis)] if isinstance(axis, str) else np.asarray(axis, np.float64)
    norm = float(np.linalg.norm(vector))
    if not norm > 0:
        raise RangeError("a rotation axis needs a direction", value=vector.tolist(), allowed="length > 0")
    vector = vector / norm
    half = angle / 2
    return from_quaternion(np.concatenate([[math.cos(half)], math.sin(half) * vector]))


def random_rotations(count: int, rng: np.random.Generator) -> FloatArray:
    """Rotations (count, 3, 3), uniform over all orientations."""
    return from_quaternion(rng.standard_normal((count, 4)))


def z_to(normals: FloatArray) -> FloatArray:
    """The smallest rotations (n, 3, 3) that take the z axis to each unit vector of `normals` (n, 3)."""
    n = np.asarray(normals, np.float64)
    quaternion = np.stack([1 + n[:, 2], -n[:, 1], n[:, 0], np.zeros(len(n))], axis=-1)
    opposite = 1 + n[:, 2] < 1e-12
    quaternion[opposite] = [0.0, 1.0, 0.0, 0.0]
    return from_quaternion(quaternion)


def is_rotation(matrix: FloatArray) -> bool:
    """Whether `matrix` is a proper rotation (3, 3) to 1e-9."""
    m = np.asarray(matrix, np.float64)
    return m.shape == (3, 3) and bool(np.allclose(m @ m.T, np.eye(3), atol=1e-9) and np.linalg.det(m) > 0)
