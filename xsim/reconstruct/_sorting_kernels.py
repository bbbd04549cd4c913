"""The compiled loops of orientation sorting: expand, weigh, compress; `LANES` rotations at a time.

    expand     W_rt = W(R_r^T q_t), trilinear             log W and sum_t c_t W_rt
    weigh      L_dr = sum_t K_dt log W_rt                  over the photons alone
    compress   photons of each voxel += sum_d P_dr K_dt, exposure += c_t sum_d P_dr phi_d, trilinear

Arrays of pixels are [pixel, lane], so that what is done for one photon runs over the lanes of a vector unit. Voxels are
[z, y, x], the origin in the middle (n // 2), q in voxels. Each call is one block; blocks that are written by different
threads have sums of their own, so the number of threads changes no bit.
"""

from __future__ import annotations

import numpy as np
from numba import njit

#: rotations that are worked on together
LANES = 16


@njit(cache=True, nogil=True, fastmath=True)
def expand(model, q, turns, slices):  # type: ignore[no-untyped-def]
    """slices (pixels, LANES) <- model (n, n, n) float32 at R^T q; q (pixels, 3), turns (lanes, 3, 3), float32."""
    n = model.shape[0]
    flat = model.reshape(-1)
    middle = np.float32(n // 2)
    for b in range(turns.shape[0]):
        r = turns[b]
        for t in range(q.shape[0]):
            a0, a1, a2 = q[t, 0], q[t, 1], q[t, 2]
            x = r[0, 0] * a0 + r[1, 0] * a1 + r[2, 0] * a2 + middle
            y = r[0, 1] * a0 + r[1, 1] * a1 + r[2, 1] * a2 + middle
            z = r[0, 2] * a0 + r[1, 2] * a1 + r[2, 2] * a2 + middle
            i, j, k = int(x), int(y), int(z)
            fx, fy, fz = x - np.float32(i), y - np.float32(j), z - np.float32(k)
            o = (k * n + j) * n + i
            p = o + n * n
            c00 = flat[o] + fx * (flat[o + 1] - flat[o])
            c01 = flat[o + n] + fx * (flat[o + n + 1] - flat[o + n])
            c10 = flat[p] + fx * (flat[p + 1] - flat[p])
            c11 = flat[p + n] + fx * (flat[p + n + 1] - flat[p + n])
            c0, c1 = c00 + fy * (c01 - c00), c10 + fy * (c11 - c10)
            slices[t, b] = c0 + fz * (c1 - c0)


@njit(cache=True, nogil=True, fastmath=True)
def logarithms(slices, share, sums):  # type: ignore[no-untyped-def]
    """slices (pixels, LANES) <- log W in place; sums (3, LANES) float64 <- those of c W, c W log W, c W log^2 W."""
    sums[:] = 0.0
    for t in range(slices.shape[0]):
        for b in range(LANES):
            w = slices[t, b]
            level = np.log(w)
            light = np.float64(share[t] * w)
            slices[t, b] = level
            sums[0, b] += light
            sums[1, b] += light * level
            sums[2, b] += light * level * level


@njit(cache=True, nogil=True, fastmath=True)
def weigh(logs, starts, places, counts, found):  # type: ignore[no-untyped-def]
    """found (frames, LANES) float32 <- sum over the photons of each frame of counts x logs."""
    for d in range(starts.size - 1):
        row = np.zeros(LANES, np.float32)
        for j in range(starts[d], starts[d + 1]):
            t, c = places[j], counts[j]
            for b in range(LANES):
                row[b] += c * logs[t, b]
        for b in range(LANES):
            found[d, b] = row[b]


@njit(cache=True, nogil=True, fastmath=True)
def gather(chances, starts, places, counts, found):  # type: ignore[no-untyped-def]
    """found (pixels, LANES) float32 <- photons of all frames by their chances (frames, LANES)."""
    found[:] = np.float32(0)
    for d in range(starts.size - 1):
        row = chances[d]
        any_left = False
        for b in range(LANES):
            any_left = any_left or row[b] > np.float32(0)
        if any_left:
            for j in range(starts[d], starts[d + 1]):
                t, c = places[j], counts[j]
                for b in range(LANES):
                    found[t, b] += c * row[b]


@njit(cache=True, nogil=True, fastmath=True)
def compress(slices, light, share, q, turns, grid, n):  # type: ignore[no-untyped-def]
    """grid (n^3, 2) += photons of slices (pixels, LANES) and exposure light (lanes,) x share (pixels,), trilinear."""
    middle, one = np.float32(n // 2), np.float32(1)
    for b in range(turns.shape[0]):
        if not light[b] > 0:
            continue
        r = turns[b]
        for t in range(q.shape[0]):
            a0, a1, a2 = q[t, 0], q[t, 1], q[t, 2]
            x = r[0, 0] * a0 + r[1, 0] * a1 + r[2, 0] * a2 + middle
            y = r[0, 1] * a0 + r[1, 1] * a1 + r[2, 1] * a2 + middle
            z = r[0, 2] * a0 + r[1, 2] * a1 + r[2, 2] * a2 + middle
            i, j, k = int(x), int(y), int(z)
            fx, fy, fz = x - np.float32(i), y - np.float32(j), z - np.float32(k)
            photons, exposure = slices[t, b], light[b] * share[t]
            for dz in range(2):
                wz = fz if dz else one - fz
                for dy in range(2):
                    w = wz * (fy if dy else one - fy)
                    o = ((k + dz) * n + j + dy) * n + i
                    w0, w1 = w * (one - fx), w * fx
                    grid[o, 0] += w0 * photons
                    grid[o, 1] += w0 * exposure
                    grid[o + 1, 0] += w1 * photons
                    grid[o + 1, 1] += w1 * exposure
