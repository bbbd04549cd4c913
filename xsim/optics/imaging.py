"""Images in partially coherent light: Abbe's sum over source points.

    I(r) = sum_s w_s | F^-1 { P(q + q_s) F{psi_s}(q) } |^2,     q_s = k NA s

Each point s of the condenser lights the specimen with a plane wave of transverse wave vector q_s; psi_s is the exit
wave with that carrier divided out (the same for every s if the specimen is thin), P the objective's pupil, sharp at
its rim, so that nothing passes beyond (1 + sigma) NA. An empty field gives the sum of w |P(q_s)|^2: 1 where the whole
cone enters an open pupil. Exact for fields periodic on the grid. The waves are summed on the coarsest grid that
carries |.|^2 without loss and interpolated once, also exactly. Reference: Hopkins, doi 10.1098/rspa.1953.0071.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavelength, wavenumber
from xsim.errors import SamplingError
from xsim.optics._image_passes import add_squares, half_steps, spread
from xsim.optics._lattice import Lattice
from xsim.optics.pupil import check_reach
from xsim.threads import share, spans, thread_count, use_threads
from xsim.waves.fft import ifft2
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]
#: tilts (qx, qy) [rad/m] of source points, and their weights
Points = list[tuple[tuple[float, float], float]]

#: source points added up by one thread before their sum joins the others; fixed, so that no result depends on threads
_BLOCK = 8


class Objective(Protocol):
    """A lens that forms an image."""

    def numerical_aperture(self, energy: Any) -> Any:
        """Radius of the pupil over k."""
        ...

    def pupil_at(self, qx: Any, qy: Any, energy: float, defocus: float = 0.0) -> NDArray[Any]:
        """Complex transmission of the pupil at transverse wave vectors [rad/m]."""
        ...

    def blur(self, energy: float, defocus: float = 0.0) -> float:
        """How far off the axis [m] rays land in the plane `defocus` [m] downstream."""
        ...


def check_image(grid: Grid, energy: float, numerical_aperture: float, sigma: float) -> None:
    """Raise SamplingError if the grid cannot carry the image (2 NA) or the light that makes it ((1 + sigma) NA)."""
    limit = wavelength(energy) / (2 * max(2.0, 1 + sigma) * numerical_aperture)
    if grid.pixel > limit * (1 + 1e-9):
        raise SamplingError(
            f"the pixel is too coarse for an image at NA {numerical_aperture:.4g} and {energy:.6g} eV",
            field="pixel",
            value=f"{grid.pixel:.4g} m",
            allowed=f"<= {limit:.4g} m",
            cure=f"use a pixel of {limit:.4g} m or less",
        )


def abbe_image(
    wave: NDArray[Any] | Callable[[tuple[float, float]], NDArray[Any]],
    grid: Grid,
    energy: float,
    objective: Objective,
    directions: FloatArray,
    weights: FloatArray,
    defocus: float = 0.0,
) -> FloatArray:
    """Image intensity (ny, nx), relative to the incident light, on the specimen's own scale and orientation.

    wave: exit wave (ny, nx) of a thin specimen; or, for a thick one, a function from the tilt (qx, qy) [rad/m] to
    the exit wave with that carrier divided out (`multislice.exit_wave(..., tilt=tilt)`). Its precision is that of the
    sum: 3e-7 for complex64. directions (n, 2) in units of the objective's NA and weights (n,), as from
    `Condenser.directions`. defocus [m]: image the plane this far downstream. Multiply by the objective's efficiency
    for photons. Raises SamplingError if the grid cannot carry the image.
    """
    lattice, radius = image_lattice(grid, energy, objective, directions, defocus)
    points = [((radius * float(x), radius * float(y)), float(w)) for (x, y), w in zip(directions, weights, strict=True)]
    blocks = [points[start:stop] for start, stop in spans(len(points), _BLOCK)]

    def pupil(qx: FloatArray, qy: FloatArray) -> NDArray[Any]:
        return objective.pupil_at(qx, qy, energy, defocus)

    if callable(wave):
        behind = wave
        total = np.zeros((2, 2, *lattice.shape))
        for block in blocks:
            total += _add_points(block, lattice, lambda tilt: lattice.spectrum(behind(tilt)), pupil)
        return lattice.enlarge(total)
    light = lattice.spectrum(np.asarray(wave, np.complex128)).astype(complex_of(wave))
    return lattice.enlarge(_in_threads(blocks, lambda block: _add_points(block, lattice, lambda tilt: light, pupil)))


def image_lattice(
    grid: Grid, energy: float, objective: Objective, directions: FloatArray, defocus: float
) -> tuple[Lattice, float]:
    """The lattice for images by `objective`, and the radius of its pupil [rad/m]. Raises SamplingError."""
    numerical_aperture = float(objective.numerical_aperture(energy))
    check_image(grid, energy, numerical_aperture, float(np.max(np.hypot(directions[:, 0], directions[:, 1]))))
    check_reach(grid, objective.blur(energy, defocus))
    radius = wavenumber(energy) * numerical_aperture
    return Lattice(grid, radius), radius


def complex_of(wave: NDArray[Any]) -> Any:
    """The complex type of the precision of `wave`; double for integers."""
    return np.complex64 if wave.dtype in (np.float32, np.complex64) else np.complex128


def _in_threads(blocks: list[Points], work: Callable[[Points], NDArray[Any]]) -> FloatArray:
    """Sum of the work on all blocks, always in the order of the blocks, with as many at a time as there are threads."""
    total: Any = 0.0
    threads = thread_count()
    for start, stop in spans(len(blocks), threads):
        found: dict[int, NDArray[Any]] = {}

        def task(index: int, found: dict[int, NDArray[Any]] = found) -> None:
            with use_threads(1):
                found[index] = work(blocks[index])

        share(task, [(index,) for index in range(start, stop)], threads)
        for index in range(start, stop):
            total = total + found[index].astype(np.float64)
    return np.asarray(total)


def _add_points(
    points: Points,
    lattice: Lattice,
    light: Callable[[tuple[float, float]], NDArray[Any]],
    pupil: Callable[[FloatArray, FloatArray], NDArray[Any]],
) -> NDArray[Any]:
    """Images by some source points, weighted and added, on the four lattices (2, 2, M_y, M_x)."""
    fields: Any = None
    for tilt, weight in points:
        spectrum = light(tilt)
        if fields is None:
            fields = np.empty((2, 2, *lattice.shape), spectrum.dtype)
            total = np.zeros(fields.shape, fields.real.dtype)
        box = lattice.around(tilt)
        qx, qy = lattice.vectors(box)
        passed = pupil(qx + tilt[0], qy + tilt[1])
        seen = lattice.part(spectrum, box)
        corner = (box[0][0], box[1][0])
        ramps = tuple(
            half_steps(k, n, m, fields.dtype) for k, n, m in zip(corner, seen.shape, lattice.shape, strict=True)
        )
        spread(seen, passed, corner, ramps, fields)
        fields = ifft2(fields, overwrite=True)
        add_squares(fields, total.dtype.type(weight), total)
    return total
