"""Lengths of ellipsoids along lines through the middles of fine samples, in chosen samples of a grid only.

An ellipsoid r = T u, |u| <= 1, C = T T^T, is met by the line at d = (x, y) from its centre between m(d) - h(d) and
m(d) + h(d), with Q the inverse of C in the plane,

    m = z0 + c.Q d,   h = sqrt(C_zz - c.Q c) sqrt(1 - d.Q d),   c = (C_zx, C_zy),

a plane and half an ellipsoid that stands upright. Exact along each line, and a root each: pixel means (`ball`,
`ellipsoid`) cost tens of times more.
"""

from __future__ import annotations

from math import ceil, floor, sqrt
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray


@njit(cache=True, nogil=True)
def _upright(turn: Any) -> tuple[float, float, float, float, float, float, float, float]:
    """Q (xx, xy, yy), slopes of the middle (x, y), half the longest chord, and reach along x and y."""
    xx = xy = yy = zx = zy = zz = 0.0
    for k in range(3):
        x, y, z = turn[0, k], turn[1, k], turn[2, k]
        xx, xy, yy, zx, zy, zz = xx + x * x, xy + x * y, yy + y * y, zx + z * x, zy + z * y, zz + z * z
    area = xx * yy - xy * xy
    qxx, qxy, qyy = yy / area, -xy / area, xx / area
    kx, ky = zx * qxx + zy * qxy, zx * qxy + zy * qyy
    return qxx, qxy, qyy, kx, ky, sqrt(max(zz - kx * zx - ky * zy, 0.0)), sqrt(xx), sqrt(yy)


@njit(cache=True, nogil=True)
def add_domes(
    out: Any, slots: Any, rows: tuple[int, int], items: Any, center: tuple[Any, Any, Any], turns: Any, slab: Any,
    unit: float,
) -> None:  # fmt: skip
    """Add the ellipsoids `items` [px, `unit` metres each] to `out` (n, fine^2) in the `rows` of `slots`.

    slots (ny, nx): which row of `out` holds a sample, -1 for none. turns: (n, 3, 3), rotation with the semi-axes [px]
    on its columns. slab: lowest and highest z [px].
    """
    nx, fine = slots.shape[1], round(sqrt(out.shape[1]))
    across, up = np.empty(fine * fine), np.empty(fine * fine)
    for f in range(fine * fine):
        up[f], across[f] = (f // fine + 0.5) / fine, (f % fine + 0.5) / fine
    for n in items:
        x0, y0, z0 = center[0][n], center[1][n], center[2][n]
        qxx, qxy, qyy, kx, ky, tallest, reach_x, reach_y = _upright(turns[n])
        low, high = slab[0] - z0, slab[1] - z0
        i0, i1 = int(max(floor(x0 - reach_x), 0.0)), int(min(ceil(x0 + reach_x), float(nx)))
        j0 = int(max(floor(y0 - reach_y), float(rows[0])))
        j1 = int(min(ceil(y0 + reach_y), float(rows[1])))
        for j in range(j0, j1):
            for i in range(i0, i1):
                slot = slots[j, i]
                if slot < 0:
                    continue
                cell, x1, y1 = out[slot], i - x0, j - y0
                for f in range(cell.size):
                    x, y = x1 + across[f], y1 + up[f]
                    half = tallest * sqrt(max(1.0 - x * (qxx * x + 2 * qxy * y) - qyy * y * y, 0.0))
                    middle = kx * x + ky * y
                    length = min(middle + half, high) - max(middle - half, low)
                    cell[f] += np.float32(max(length, 0.0) * unit)


def into_cells(
    out: NDArray[np.float32], slots: NDArray[np.int32], poses: Any, turns: NDArray[np.float64], unit: float
) -> None:
    """Add ellipsoids at `poses` (`bands.PixelPoses`) to `out`; `turns` and `unit` as in `add_domes`."""
    from xsim.specimen.kernels.bands import for_bands

    def band(first: int, last: int, items: NDArray[np.int64]) -> None:
        add_domes(out, slots, (first, last), items, (poses.x, poses.y, poses.z), turns, (poses.z0, poses.z1), unit)

    for_bands(slots.shape[0], poses.y, np.sqrt((turns[:, 1] ** 2).sum(axis=1)), band)
