"""Puts the projections of a tilt series where they belong, found from the data alone.

The rotation axis of a real stage shakes and drifts, and does not lie in the middle of the field. Reconstruct, project
the volume again, and register each measured projection with its calculated one: what is common to all views gathers in
the volume, so each round brings the views closer to one another. What no series can tell is left alone: a specimen
that lies elsewhere moves as A cos + B sin of the tilt across the axis and evenly along it, so shifts of that form are
taken out. References: Dengler, Ultramicroscopy 30, 337 (1989), doi 10.1016/0304-3991(89)90060-2; Gursoy et al., Sci.
Rep. 7, 11818 (2017), doi 10.1038/s41598-017-12141-9.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xsim.exposure import Array
from xsim.metrics.register import shift_between
from xsim.reconstruct._tomogram import Projections
from xsim.reconstruct.sirt import solve

#: rounds at most, and the largest change [pixels] that ends them
ROUNDS, SETTLED = 20, 0.03
#: iterations of each round's reconstruction: few, so that it stays smooth and does not copy the shifts
ITERATIONS = 8


def aligned(data: Projections) -> tuple[Projections, Array]:
    """The projections put right, and the shifts (tilts, 2) [m] (along, across the axis) that they had."""
    theta = np.radians(np.asarray(data.theta, np.float64))
    shifts = np.zeros((len(theta), 2))
    n = data.values.shape[2]
    for _ in range(ROUNDS):
        moved = _moved(data.values, -shifts)
        rays = np.ascontiguousarray(moved.transpose(0, 2, 1))
        volume, _ = solve(rays, theta, (n, n + n // 2), ITERATIONS)
        step = _misplaced(volume, rays, theta)
        new = _told(shifts + step, theta)
        change = float(np.abs(new - shifts).max())
        shifts = new
        if change < SETTLED:
            break
    return replace(data, values=_moved(data.values, -shifts)), shifts * data.pixel


def _misplaced(volume: Array, rays: Array, theta: Array) -> Array:
    """How far (tilts, 2) [pixels] each of `rays` (tilts, across, along) lies from what the volume makes of it."""
    from xsim.reconstruct._projector import project

    made = project(volume, theta, rays.shape[1])
    found = [shift_between(_detail(a), _detail(b), 50) for a, b in zip(made, rays, strict=True)]
    limit = min(rays.shape[1:]) / 8  # a view without detail must not run away
    return np.clip(np.array(found)[:, ::-1], -limit, limit)


def _detail(image: Array) -> Array:
    """The image without its slow background, fading towards its edges."""
    from scipy.ndimage import gaussian_filter

    fine = gaussian_filter(np.asarray(image, np.float64), 1.0) - gaussian_filter(image, min(image.shape) / 8)
    window = [np.sin(np.pi * (np.arange(n) + 0.5) / n) for n in image.shape]
    return np.asarray(fine * np.outer(*window))


def _told(shifts: Array, theta: Array) -> Array:
    """Shifts less what is the same as the specimen lying elsewhere."""
    along = shifts[:, 0] - shifts[:, 0].mean()
    place = np.stack([np.cos(theta), np.sin(theta), np.ones_like(theta)], axis=1)
    fit = np.linalg.lstsq(place, shifts[:, 1], rcond=None)[0]
    across = shifts[:, 1] - place[:, :2] @ fit[:2]
    return np.stack([along, across], axis=1)


def _moved(images: Array, shifts: Array) -> Array:
    """Each image (along, across) moved by its shift [pixels], the edges continued."""
    from scipy.ndimage import shift

    moved = [shift(image, by, order=3, mode="nearest") for image, by in zip(images, shifts, strict=True)]
    return np.asarray(np.stack(moved), np.float32)
