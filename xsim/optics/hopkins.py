"""Images in partially coherent light by the leading modes of Hopkins' transmission cross-coefficients.

    T(q, q') = sum_s w_s P(q + q_s) P*(q' + q_s) = sum_k phi_k(q) phi_k*(q'),
    I(r) = sum_k | F^-1 { phi_k F{psi} } |^2

With A = [sqrt(w_s) P(q + q_s)] of one column per source point, T = A A^H, and any unitary mixture v of the points gives
phi = A v exactly. The eigenvectors of A^H A put most light into few modes. A^H A is worked out on a coarse lattice of
the pupil, so that a mixture costs little to find; the modes themselves are evaluated on the grid's own frequencies.
What the modes left out would add is nearly even over the field: its mean, known exactly from T(q, q), is added back.

`error` is twice the largest difference from Abbe's sum over the same points, relative to the incident light, for an
edge, gratings, a dot, a hole, a phase disk and a rough phase plate on that coarse lattice: an estimate, not a bound.
Thin specimens only: what leaves a thick one depends on the direction of the light. Nothing passes beyond (1 + sigma)
NA, as in Abbe's sum. References: Hopkins, doi 10.1098/rspa.1953.0071; Cobb, Fast optical and process proximity
correction algorithms (sum of coherent systems), UC Berkeley (1998); Gamo, Progress in Optics 3, 187 (doi
10.1016/S0079-6638(08)70571-0).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.errors import RangeError
from xsim.optics._field_sum import FieldSum, joined, sum_in_threads
from xsim.optics._lattice import Lattice
from xsim.optics._mode_passes import add_products, gram, orthonormalise, product
from xsim.optics._sample_objects import sample_objects
from xsim.optics.condenser import Condenser
from xsim.optics.imaging import Objective, image_lattice
from xsim.optics.source_modes import hermitian_modes
from xsim.threads import share, spans
from xsim.waves.fft import good_size, ifft2
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]

#: frequencies across the radius of the coarse pupil: at least, and at most
_COARSE, _FINEST = 10, 40
#: most modes tried, and multiplications of a trial basis by A^H A
_TRIED, _ROUNDS = 64, 6
#: the reported error over that of the sample objects
_SAFETY = 2.0
#: modes added up by one thread before their sum joins the others
_BLOCK = 4
#: the largest number of source points
MOST_POINTS = 4000


@dataclass(frozen=True)
class Setting:
    """A microscope at one setting: what the image of a thin specimen depends on beside the specimen."""

    grid: Grid
    energy: float
    objective: Objective
    condenser: Condenser
    defocus: float = 0.0

    def lattice(self) -> Lattice:
        """Where images are summed. Raises SamplingError if the grid cannot carry them."""
        return image_lattice(self.grid, self.energy, self.objective, self.condenser.directions()[0], self.defocus)


@dataclass(frozen=True, eq=False)
class Modes:
    """Modes (K, h, w) of a setting on a box of frequencies, what they leave out (h, w), and the error of images."""

    lattice: Lattice
    box: tuple[tuple[int, int], tuple[int, int]]
    kernels: NDArray[Any]
    missing: NDArray[Any]
    error: float

    def image(self, wave: NDArray[Any]) -> FloatArray:
        """Image intensity (ny, nx) of an exit wave (ny, nx), relative to the incident light, as by Abbe's sum."""
        lattice, corner = self.lattice, (self.box[0][0], self.box[1][0])
        light = lattice.part(lattice.spectrum(wave), self.box)

        def images(first: int, last: int) -> NDArray[Any]:
            fields = FieldSum(lattice.shape, light.dtype)
            for kernel in self.kernels[first:last]:
                fields.add(light, kernel, corner, 1.0)
            return fields.strips

        blocks = spans(len(self.kernels), _BLOCK)
        total = joined(sum_in_threads([partial(images, *block) for block in blocks]), lattice.shape)
        rest = float(np.sum(self.missing * np.abs(light) ** 2, dtype=np.float64))
        return lattice.enlarge(total + rest)


@lru_cache(maxsize=2)
def hopkins_modes(setting: Setting, tolerance: float = 2e-3, single: bool = True) -> Modes:
    """The fewest modes whose images are within `tolerance` of Abbe's sum, as `Modes.error` estimates; kept for reuse.

    single: complex64 instead of complex128. Raises RangeError with the error that can be had where 64 modes are not
    enough (defocus or aberrations of many waves, a phase ring on a narrow cone), SamplingError as Abbe's sum does.
    """
    lattice = setting.lattice()
    mixture, errors = _mixture(setting)
    enough = np.nonzero(errors <= tolerance)[0]
    if len(enough) == 0:
        raise RangeError(
            f"{len(errors)} modes do not image within the tolerance",
            field="tolerance",
            value=f"{tolerance:.3g}",
            allowed=f">= {errors.min():.3g} with this light and objective",
            cure="use Abbe's sum, or a larger tolerance",
        )
    count = int(enough[0]) + 1
    box, kernels, missing = _on_grid(setting, lattice, mixture[:, :count], np.complex64 if single else np.complex128)
    return Modes(lattice, box, kernels, missing, float(errors[count - 1]))


def least_error(setting: Setting) -> float:
    """The error of images by as many modes as are tried. Raises RangeError where none can be found."""
    return float(_mixture(setting)[1].min())


@lru_cache(maxsize=4)
def _mixture(setting: Setting) -> tuple[NDArray[np.complex128], FloatArray]:
    """Orthonormal mixtures (n, modes) of the source points, strongest first, and the error of images by the first k."""
    directions, weights = setting.condenser.directions()
    if len(weights) > MOST_POINTS:
        cure = "use fewer, or Abbe's sum"
        raise RangeError("source points", field="points", value=len(weights), allowed=f"<= {MOST_POINTS}", cure=cure)
    coarse = _coarse(setting)
    radius = setting.lattice().radius
    half = math.ceil((1 + float(np.max(np.hypot(*directions.T)))) * coarse)
    place = np.arange(-half, half + 1) / coarse
    qx = radius * (place[None, None, :] + directions[:, 0, None, None])
    qy = radius * (place[None, :, None] + directions[:, 1, None, None])
    pupils = setting.objective.pupil_at(qx, qy, setting.energy, setting.defocus) * np.sqrt(weights)[:, None, None]
    columns = np.ascontiguousarray(pupils.reshape(len(weights), -1), np.complex128)
    mixture = _leading(gram(columns))
    kernels = product(np.ascontiguousarray(mixture.T), columns).reshape(-1, *pupils.shape[1:])
    return mixture, _errors(pupils, kernels, coarse)


def _coarse(setting: Setting) -> int:
    """Frequencies across the radius of the pupil that carry its phase. Raises RangeError beyond a limit."""
    lattice = setting.lattice()
    rays = setting.objective.blur(setting.energy, setting.defocus) * lattice.radius / (2 * np.pi)
    wanted = max(_COARSE, math.ceil(2.5 * rays))
    if wanted > _FINEST:
        raise RangeError(
            "defocus and aberrations of too many waves for modes",
            field="defocus",
            value=f"rays up to {rays:.3g} lambda/NA off the axis",
            allowed=f"<= {_FINEST / 2.5:.3g}",
            cure="use Abbe's sum",
        )
    return wanted


def _leading(matrix: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Nearly the leading eigenvectors (n, modes) of a positive Hermitian matrix, orthonormal to rounding.

    Subspace iteration by loops of fixed order: the same bits for any number of threads, which LAPACK does not promise.
    """
    n = len(matrix)
    if n <= _TRIED:
        return hermitian_modes(matrix)[1]
    index = np.arange(n, dtype=np.float64)[:, None] * np.arange(1, _TRIED + 1)
    basis = np.exp(2j * np.pi * (math.sqrt(2) * index % 1.0))
    for _ in range(_ROUNDS):
        rows = np.ascontiguousarray(product(matrix, basis).T)
        orthonormalise(rows)
        basis = np.ascontiguousarray(rows.T)
    small = product(np.ascontiguousarray(basis.conj().T), product(matrix, basis))
    return np.asarray(product(basis, hermitian_modes((small + small.conj().T) / 2)[1]))


def _errors(pupils: NDArray[Any], kernels: NDArray[Any], coarse: int) -> FloatArray:
    """Largest errors of images of the test objects by the first 1, 2 ... modes."""
    side = good_size(2 * pupils.shape[1] + 1)
    worst = np.zeros(len(kernels))
    for thing in sample_objects(side, coarse):
        exact = np.sum(_intensities(pupils, thing), axis=0)
        kept = np.cumsum(_intensities(kernels, thing), axis=0)
        left = exact - kept
        left -= left.mean(axis=(1, 2), keepdims=True)
        worst = np.maximum(worst, np.abs(left).max(axis=(1, 2)))
    return _SAFETY * worst


def _intensities(pupils: NDArray[Any], spectrum: NDArray[Any]) -> FloatArray:
    """Squared fields (n, side, side) of an object of given Fourier coefficients, zero in the middle, through pupils."""
    side, width = spectrum.shape[0], pupils.shape[1]
    first = side // 2 - width // 2
    fields = np.zeros((len(pupils), side, side), np.complex64)
    fields[:, :width, :width] = pupils * spectrum[first : first + width, first : first + width]
    fields = ifft2(fields, overwrite=True) * side**2
    return np.asarray(fields.real**2 + fields.imag**2)


def _on_grid(setting: Setting, lattice: Lattice, mixture: NDArray[np.complex128], dtype: Any) -> Any:
    """The box of frequencies that any source point lets through, the modes there, and the light they leave out."""
    directions, weights = setting.condenser.directions()
    tilts = [(lattice.radius * float(x), lattice.radius * float(y)) for x, y in directions]
    boxes = [lattice.around(tilt) for tilt in tilts]
    box = tuple((min(b[axis][0] for b in boxes), max(b[axis][1] for b in boxes)) for axis in (0, 1))
    shape = tuple(high - low + 1 for low, high in box)
    kernels = np.zeros((mixture.shape[1], *shape), dtype)
    whole = np.zeros(shape)
    parts = np.sqrt(weights)[:, None] * mixture

    def add(first: int, last: int) -> None:
        for (qx, qy), (rows, columns), part, weight in zip(tilts, boxes, parts, weights, strict=True):
            x, y = lattice.vectors((rows, columns))
            pupil = np.asarray(setting.objective.pupil_at(x + qx, y + qy, setting.energy, setting.defocus))
            corner = (rows[0] - box[0][0], columns[0] - box[1][0])
            add_products(pupil, part[first:last].astype(dtype), corner, kernels[first:last])
            if first == 0:
                here = np.s_[corner[0] : corner[0] + pupil.shape[0], corner[1] : corner[1] + pupil.shape[1]]
                whole[here] += weight * (pupil.real**2 + pupil.imag**2)

    share(add, spans(mixture.shape[1], math.ceil(mixture.shape[1] / 2)))
    kept = np.zeros(shape)
    for kernel in kernels:
        kept += np.abs(kernel) ** 2
    return box, kernels, np.maximum(whole - kept, 0.0)
