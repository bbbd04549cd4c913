"""Three-dimensional diffraction microscopy: a tilt series of far-field patterns, gridded and phased as one volume.

    |F(q_s)| = sqrt(N(u) / sensitivity(u)),   q_s = R^T q(u),   q = k (s - z) on the Ewald sphere
    F(q) = integral of v(r) exp(-iq.r) d^3r,   v = -i k (delta - i beta) against what surrounds the object   [1/m]

Every pixel of every pattern falls into the voxel of reciprocal space nearest to its q in the specimen's frame; voxels
that several meet take the mean intensity, those that none meets (missing wedge, beam stop, gaps) stay free, and the
volume is phased by RAAR as an image is (see `raar`). Single scattering: a specimen that changes the phase by much less
than 1 rad. The voxel is the pixel that the detector fixes; nearest voxels suit patterns oversampled three times or
more, and tilts as fine as a voxel at the edge, 2/n rad. Cost and memory grow as n^3: at most `MOST` pixels across.

References: Miao et al., Phys. Rev. Lett. 89, 088303 (2002), doi 10.1103/PhysRevLett.89.088303; Chapman et al., J. Opt.
Soc. Am. A 23, 1179 (2006), doi 10.1364/JOSAA.23.001179.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from xsim.constants import wavenumber
from xsim.exposure import Array, Measurement
from xsim.reconstruct._data import bad_pixels, need, offsets, photons, refuse, single_energy
from xsim.reconstruct._lensless import Lensless
from xsim.reconstruct._pattern import UNKNOWN, Pattern, sensitivity
from xsim.reconstruct._phasing import Constraint, Rule
from xsim.reconstruct._protocol import Reconstruction
from xsim.waves.fft import good_size

#: the largest number of voxels along an edge
MOST = 192


class Raar3D(Lensless):
    """RAAR of a tilt series in three dimensions. Knobs: iterations, refine, starts, constraint, threshold, seed."""

    kind: Literal["raar_3d"] = "raar_3d"
    preference: ClassVar[int] = -3
    rule: ClassVar[Rule] = "raar"
    name: ClassVar[str] = "RAAR"

    iterations: Annotated[int, Field(ge=1, le=100_000)] = 200
    starts: Annotated[int, Field(ge=1, le=1000)] = 3
    constraint: Constraint = "quadrant"

    def accepts(self, measurement: Measurement) -> str:
        """Why it cannot reconstruct this measurement; empty if it can."""
        axes = [axis for axis in measurement.frames.axes if not axis.name.startswith("repeat")]
        if len(measurement.axes) != 2:
            return "its frames are not images"
        if len(axes) != 1 or axes[0].unit != "rad":
            return "it is not one series of tilts"
        if max(measurement.counts.shape[-2:]) > MOST:
            return f"its {max(measurement.counts.shape[-2:])} pixels across are more than {MOST}"
        if measurement.settings.get("profile", "flat") != "flat":
            return "its beam is finite"
        return single_energy(measurement)

    def __call__(self, measurement: Measurement) -> Reconstruction:
        """v (z, y, x) [1/m]. Raises FileError if this is no tilt series of patterns."""
        from dataclasses import replace

        refuse(measurement, self.kind, self.accepts(measurement))
        found = self.phased(gridded(measurement), self.kind)
        return replace(
            found,
            unit="1/m",
            title=f"phase and loss per length by RAAR, mean of {found.numbers['starts_kept']:.0f} starts",
            estimates="potential",
        )


def gridded(measurement: Measurement) -> Pattern:
    """The modulus of the transform sum v exp(-iq.r) over the voxels, from all tilts. Repeats are means."""
    tilt = next(axis for axis in measurement.frames.axes if axis.unit == "rad")
    angles = np.asarray(measurement.frames[tilt.name], np.float64)
    about = _about(measurement)
    (y, x), distance = offsets(measurement), need(measurement, "detector_distance", "distance")
    k = float(wavenumber(measurement.frames["energy"][0]))
    side = need(measurement, "detector_pixel", "pixel")
    n = good_size(max(measurement.counts.shape[-2:]))
    pixel = 2 * np.pi * distance / (k * max(measurement.counts.shape[-2:]) * side)
    path = np.sqrt(x * x + y * y + distance**2)
    q = np.stack(np.broadcast_arrays(k * x / path, k * y / path, k * (distance / path - 1)), axis=-1)
    values, good = photons(measurement), ~bad_pixels(measurement)
    total, weight = np.zeros(n**3), np.zeros(n**3)
    incident = np.asarray(measurement.incident, np.float64)
    step = 2 * np.pi / (n * pixel)
    for frame, angle in enumerate(angles):
        light = sensitivity(measurement, float(incident[frame]), pixel) ** 2
        index = np.rint(q[good] @ _rotation(about, float(angle)) / step).astype(np.int64)  # rows times R: R^T q
        inside = np.all(np.abs(index) < n // 2, axis=1)
        place = np.ravel_multi_index(tuple((index[inside] % n).T[::-1]), (n, n, n))
        total += np.bincount(place, np.maximum(values[frame][good], 0)[inside], n**3)
        weight += np.bincount(place, light[good][inside], n**3)
    # sensitivity is for sums of w, the projection of v over depth: one voxel of v adds v pixel
    modulus = np.where(weight > 0, np.sqrt(total / np.where(weight > 0, weight, 1)) / pixel, UNKNOWN)
    return Pattern(modulus.reshape(n, n, n).astype(np.float32), pixel)


def _about(measurement: Measurement) -> str:
    """The axis of rotation, "y" or "x", as the settings tell."""
    for scan in measurement.settings.get("scan", []):
        if scan.get("kind") == "tilts":
            return str(scan.get("axis", "y"))
    return "y"


def _rotation(about: str, angle: float) -> Array:
    """Right-handed rotation (3, 3), specimen to laboratory."""
    c, s = np.cos(angle), np.sin(angle)
    if about == "x":
        return np.array([[1.0, 0.0, 0.0], [0.0, c, -s], [0.0, s, c]])
    return np.array([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]])
