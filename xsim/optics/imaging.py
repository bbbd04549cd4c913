"""Images in partially coherent light: Abbe's sum over source points.

    I(r) = sum_s w_s | F^-1 { P(q + q_s) F{psi_s}(q) } |^2,     q_s = k NA s

Each point s of the condenser lights the specimen with a plane wave of transverse wave vector q_s; psi_s is the exit
wave with that carrier divided out (the same for every s if the specimen is thin), P the objective's pupil, sharp at
its rim, so that nothing passes beyond (1 + sigma) NA. An empty field gives the sum of w |P(q_s)|^2: 1 where the whole
cone enters an open pupil. Exact for fields periodic on the grid. The waves are summed on the coarsest grid that
carries |.|^2 without loss and interpolated once, also exactly. Reference: Hopkins, doi 10.1098/rspa.1953.0071.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavelength, wavenumber
from xsim.errors import SamplingError
from xsim.optics._field_sum import FieldSum, joined, sum_in_threads
from xsim.optics._lattice import Lattice
from xsim.optics.pupil import check_reach
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]

#: source points added up in the waves' own precision before their sum joins the others; and these sums come in a
#: multiple of this number, so that threads have equal work (fixed, so that no result depends on threads)
_BLOCK, _SHARES = 8, 4


class Objective(Protocol):
    """A lens that forms an image."""

    def numerical_aperture(self, energy: Any) -> Any:
        """Radius of the pupil over k."""
        ...

    def pupil_at(
        self, qx: Any, qy: Any, energy: float, defocus: float = 0.0, dtype: Any = np.complex128
    ) -> NDArray[Any]:
        """Transmission of the pupil at transverse wave vectors [rad/m], complex of type `dtype`, or boolean."""
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
    lattice = image_lattice(grid, energy, objective, directions, defocus)
    tilts = [(lattice.radius * float(x), lattice.radius * float(y)) for x, y in directions]

    if callable(wave):
        behind = wave

        def seen(tilt: tuple[float, float]) -> NDArray[Any]:
            return lattice.spectrum(behind(tilt))
    else:
        light = lattice.spectrum(wave)

        def seen(tilt: tuple[float, float]) -> NDArray[Any]:
            return light

    def block(start: int, stop: int) -> NDArray[Any]:
        fields = None
        for tilt, weight in zip(tilts[start:stop], weights[start:stop], strict=True):
            spectrum = seen(tilt)
            fields = fields or FieldSum(lattice.shape, spectrum.dtype)
            box = lattice.around(tilt)
            qx, qy = lattice.vectors(box)
            pupil = objective.pupil_at(qx + tilt[0], qy + tilt[1], energy, defocus, spectrum.dtype)
            fields.add(lattice.part(spectrum, box), pupil, (box[0][0], box[1][0]), float(weight))
        return np.asarray(fields and fields.strips)

    jobs = [partial(block, *span) for span in _even(len(tilts))]
    # the waves behind a thick specimen, and their images, keep all threads busy one after the other
    total = sum(job().astype(np.float64) for job in jobs) if callable(wave) else sum_in_threads(jobs)
    return lattice.enlarge(joined(np.asarray(total), lattice.shape))


def _even(count: int) -> list[tuple[int, int]]:
    """`count` source points cut into a multiple of _SHARES blocks that differ by one point at most."""
    blocks = min(count, math.ceil(count / (_BLOCK * _SHARES)) * _SHARES)
    return [(i * count // blocks, (i + 1) * count // blocks) for i in range(blocks)]


def image_lattice(grid: Grid, energy: float, objective: Objective, directions: FloatArray, defocus: float) -> Lattice:
    """The lattice for images by `objective`; its radius is that of the pupil [rad/m]. Raises SamplingError."""
    numerical_aperture = float(objective.numerical_aperture(energy))
    check_image(grid, energy, numerical_aperture, float(np.max(np.hypot(directions[:, 0], directions[:, 1]))))
    check_reach(grid, objective.blur(energy, defocus))
    return Lattice(grid, wavenumber(energy) * numerical_aperture)
