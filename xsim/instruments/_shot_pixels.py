"""The pixels of one or many modules, and the light of all particles that meet in one shot.

    |sum_j sqrt(F_j) f_j exp(-i q.r_j)|^2
        = sum_j F_j |f_j|^2 + 2 sum_{i<j} sqrt(F_i F_j) c Re[f_i f_j* exp(-i q.(r_i - r_j))]

with c = sinc(k p dx/2z) sinc(k p dy/2z), what pixels of width p keep of fringes finer than they are (exact for small
angles), so that particles far apart add up in intensity.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavenumber
from xsim.waves.far_field import polarisation, scattering_vectors, scattering_vectors_at

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Pixels:
    """Directions of all pixels: q/k (ny, nx, 3), solid angle [sr], what is open of each, polarisation factor."""

    direction: FloatArray
    solid_angle: FloatArray
    open: FloatArray
    polarised: FloatArray

    def q(self, energy: float) -> FloatArray:
        """Scattering vectors (ny, nx, 3) [rad/m] at `energy` [eV]."""
        return np.asarray(self.direction * wavenumber(energy))

    def q_end(self, energy: float) -> float:
        """Largest |q| [rad/m] at `energy` [eV]."""
        return float(np.sqrt((self.direction**2).sum(axis=-1).max()) * wavenumber(energy))


def pixels(detector: Any, distance: float, beam_stop: float, degree: float) -> Pixels:
    """Pixels of a detector at `distance` [m] behind a beam stop of that diameter [m]; degree: of polarisation."""
    shape, unit = tuple(detector.shape), 1e4
    k = wavenumber(unit)
    if getattr(detector, "displaced", False):
        places, normals = detector.places()
        places[..., 2] += distance
        q, solid_angle = scattering_vectors_at(places, normals, detector.pixel, unit)
        x, y = places[..., 0], places[..., 1]
    else:
        q, solid_angle = scattering_vectors(shape, detector.pixel, distance, unit)
        y = ((np.arange(shape[0]) - shape[0] // 2) * detector.pixel)[:, None]
        x = ((np.arange(shape[1]) - shape[1] // 2) * detector.pixel)[None, :]
    free = np.asarray(np.hypot(x, y) >= beam_stop / 2, np.float64)
    return Pixels(q / k, solid_angle, free, polarisation(q, unit, degree))


def together(
    amplitudes: Sequence[NDArray[Any]], fluences: Sequence[float], places: FloatArray, q: FloatArray, width: float
) -> FloatArray:
    """Fluence times squared amplitude [per sr] of particles at `places` (n, 3) [m]; width: of a pixel in q [rad/m]."""
    total = np.zeros(q.shape[:-1])
    for f, fluence in zip(amplitudes, fluences, strict=True):
        total += fluence * (f.real**2 + f.imag**2)
    for i in range(len(amplitudes)):
        for j in range(i):
            apart = places[i] - places[j]
            kept = np.sinc(width * apart[0] / (2 * np.pi)) * np.sinc(width * apart[1] / (2 * np.pi))
            phase = q[..., 0] * apart[0] + q[..., 1] * apart[1] + q[..., 2] * apart[2]
            cross = amplitudes[i] * np.conj(amplitudes[j])
            both = 2 * kept * np.sqrt(fluences[i] * fluences[j])
            total += both * (cross.real * np.cos(phase) + cross.imag * np.sin(phase))
    return np.maximum(total, 0.0)


def module_geometry(detector: Any) -> dict[str, Any]:
    """What files are told of a detector of modules: which pixel is whose, and where each pixel truly is."""
    if not getattr(detector, "modules", ()):
        return {}
    told: dict[str, Any] = {"module_number": detector.module_numbers, "mask": detector.gaps.astype(np.uint8)}
    if detector.displaced:
        places, normals = detector.places()
        told |= {f"pixel_position_{name} [m]": places[..., axis] for axis, name in enumerate("xyz")}
        told |= {f"pixel_normal_{name}": normals[..., axis].astype(np.float32) for axis, name in enumerate("xyz")}
    return told
