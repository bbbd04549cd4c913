"""Simultaneous iterative reconstruction (SIRT) with positivity: mu(z, y, x) [1/m] of a full-field tilt series.

    x <- max(0, y + C A^T R (b - A y)),    y = x + momentum * (x - x_before)

b the projections of the attenuation, A the line integrals (see `_projector`), R and C one over the sums of its rows and
columns. It minimises the misfit weighted by R; Nesterov's momentum makes of n iterations what n^2/4 are without. What
the data do not tell (the missing wedge) stays as it began, at zero, and more iterations fit finer detail and more
noise. Slices are widened while they are reconstructed, so that matter beyond the field, which some rays meet, has a
place to go. See `_tomogram` for angles.

References: Gilbert, J. Theor. Biol. 36, 105 (1972), doi 10.1016/0022-5193(72)90180-4; Gregor & Benson, IEEE Trans. Med.
Imaging 27, 918 (2008), doi 10.1109/TMI.2008.923696; Beck & Teboulle, SIAM J. Imaging Sci. 2, 183 (2009), doi
10.1137/080716542.
"""

from __future__ import annotations

import math
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from xsim.exposure import Array
from xsim.reconstruct._tomogram import Projections, Slices, Tomography


class Sirt(Tomography):
    """Iterative reconstruction of a tilt series. positive: no attenuation below zero; margin: widening."""

    kind: Literal["sirt"] = "sirt"
    iterations: Annotated[int, Field(ge=1, le=10_000)] = 30
    positive: bool = True
    margin: Annotated[float, Field(ge=1, le=8)] = 1.5

    def slices(self, data: Projections) -> Slices:
        """All slices at once, with the relative misfit after each iteration."""
        n = data.values.shape[2]
        wide = n + 2 * math.ceil(n * (self.margin - 1) / 2)
        rays = data.values.transpose(0, 2, 1)  # (tilts, across, along)
        found, misfit = solve(rays, np.radians(data.theta), (n, wide), self.iterations, self.positive)
        start = wide // 2 - n // 2
        return found[:, start : start + n].transpose(2, 0, 1) / data.pixel, {"relative misfit": misfit}


def solve(
    rays: Array, theta: Array, shape: tuple[int, int], iterations: int, positive: bool = True
) -> tuple[Array, Array]:
    """Slices (z, s, along) of `shape` (z, s) for `rays` (tilts, across, along); and the misfit per iteration."""
    from xsim.reconstruct._projector import project, spread

    data = np.ascontiguousarray(rays, np.float32)
    one = np.ones((*shape, 1), np.float32)
    rows = project(one, theta, data.shape[1])
    columns = spread(np.ones((*data.shape[:2], 1), np.float32), theta, shape)
    rows = np.where(rows > 1e-3, 1 / np.maximum(rows, 1e-3), 0)
    columns = np.where(columns > 1e-3, 1 / np.maximum(columns, 1e-3), 0)
    x = np.zeros((*shape, data.shape[2]), np.float32)
    y, speed = x, 1.0
    size = math.sqrt(float(np.sum(rows * data.astype(np.float64) ** 2))) or 1.0
    misfit = np.zeros(iterations)
    for number in range(iterations):
        left = data - project(y, theta, data.shape[1])
        misfit[number] = math.sqrt(float(np.sum(rows * left.astype(np.float64) ** 2))) / size
        left *= rows
        new = y + columns * spread(left, theta, shape)
        if positive:
            np.maximum(new, 0, out=new)
        faster = (1 + math.sqrt(1 + 4 * speed * speed)) / 2
        y = new + np.float32((speed - 1) / faster) * (new - x)
        x, speed = new, faster
    return x, misfit
