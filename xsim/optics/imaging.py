"""Images in partially coherent light: Abbe's sum over source points.

    I(r) = sum_s w_s | F^-1 { P(q + q_s) F{psi_s}(q) } |^2,     q_s = k NA s

Each point s of the condenser lights the specimen with a plane wave of transverse wave vector q_s; psi_s is the exit
wave with that carrier divided out (the same for every s if the specimen is thin), P the objective's pupil, sharp at
its rim, so that nothing passes beyond (1 + sigma) NA. An empty field gives the sum of w |P(q_s)|^2: 1 where the whole
cone enters an open pupil. Exact for fields periodic on the grid. The waves are summed on the coarsest grid that
carries |.|^2 without loss and interpolated once, also exactly. Reference: Hopkins, doi 10.1098/rspa.1953.0071.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
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
#: light and pupil (h, w) on some frequencies, the first of these (row, column), and the weight of the squared field
Passing = tuple[NDArray[Any], NDArray[Any], tuple[int, int], float]

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
    lattice = image_lattice(grid, energy, objective, directions, defocus)
    radius = lattice.radius
    tilts = [(radius * float(x), radius * float(y)) for x, y in directions]
    blocks = spans(len(tilts), _BLOCK)

    def passing(span: tuple[int, int], light: Callable[[tuple[float, float]], NDArray[Any]]) -> Iterator[Passing]:
        for tilt, weight in zip(tilts[slice(*span)], weights[slice(*span)], strict=True):
            box = lattice.around(tilt)
            qx, qy = lattice.vectors(box)
            pupil = objective.pupil_at(qx + tilt[0], qy + tilt[1], energy, defocus)
            yield lattice.part(light(tilt), box), pupil, (box[0][0], box[1][0]), float(weight)

    if callable(wave):
        behind = wave
        total = np.zeros((2, 2, *lattice.shape))
        for block in blocks:
            total += add_fields(passing(block, lambda tilt: lattice.spectrum(_complex(behind(tilt)))), lattice)
        return lattice.enlarge(total)
    seen = lattice.spectrum(np.asarray(wave, np.complex128)).astype(complex_of(wave))
    jobs = [lambda block=block: add_fields(passing(block, lambda tilt: seen), lattice) for block in blocks]
    return lattice.enlarge(sum_in_threads(jobs))


def image_lattice(grid: Grid, energy: float, objective: Objective, directions: FloatArray, defocus: float) -> Lattice:
    """The lattice for images by `objective`; its radius is that of the pupil [rad/m]. Raises SamplingError."""
    numerical_aperture = float(objective.numerical_aperture(energy))
    check_image(grid, energy, numerical_aperture, float(np.max(np.hypot(directions[:, 0], directions[:, 1]))))
    check_reach(grid, objective.blur(energy, defocus))
    return Lattice(grid, wavenumber(energy) * numerical_aperture)


def complex_of(wave: NDArray[Any]) -> Any:
    """The complex type of the precision of `wave`; double for integers."""
    return np.complex64 if wave.dtype in (np.float32, np.complex64) else np.complex128


def _complex(wave: NDArray[Any]) -> NDArray[Any]:
    return np.asarray(wave).astype(complex_of(wave), copy=False)


def sum_in_threads(jobs: Sequence[Callable[[], NDArray[Any]]]) -> FloatArray:
    """Sum of what all jobs return, always in their order, with as many at a time as there are threads."""
    total: Any = None
    threads = thread_count()
    for start, stop in spans(len(jobs), threads):
        found: dict[int, NDArray[Any]] = {}

        def task(index: int, found: dict[int, NDArray[Any]] = found) -> None:
            with use_threads(1):
                found[index] = jobs[index]()

        share(task, [(index,) for index in range(start, stop)], threads)
        for index in range(start, stop):
            total = found[index].astype(np.float64) if total is None else np.add(total, found[index], out=total)
    return np.asarray(total)


def add_fields(parts: Iterable[Passing], lattice: Lattice) -> NDArray[Any]:
    """Squared fields, weighted and added, on the four lattices (2, 2, M_y, M_x), in the precision of the light."""
    fields: Any = None
    for light, pupil, corner, weight in parts:
        if fields is None:
            fields = np.empty((2, 2, *lattice.shape), light.dtype)
            total = np.zeros(fields.shape, fields.real.dtype)
        ramps = tuple(
            half_steps(first, count, points, fields.dtype)
            for first, count, points in zip(corner, light.shape, lattice.shape, strict=True)
        )
        spread(light, pupil, corner, ramps, fields)
        fields = ifft2(fields, overwrite=True)
        add_squares(fields, total.dtype.type(weight), total)
    return total
