"""Orientation sorting of single-particle shots: expand, maximise, compress (EMC).

    expand     W_rt = W(R_r^T q_t)                               what pixel t sees of the model in rotation r
    maximise   P_dr ~ w_r [ prod_t (phi_d c_t W_rt)^K_dt exp(-phi_d c_t W_rt) ]^beta,   sum_r P_dr = 1
               phi_d = sum_t K_dt / sum_r P_dr sum_t c_t W_rt    each frame's fluence, mean 1
    compress   W(q) = sum P_dr K_dt / sum P_dr phi_d c_t         over all d, r, t with R_r^T q_t near q or -q

K_dt: photons; c_t: solid angle times polarisation; w_r: weight of a rotation of the 600-cell's grid. The model starts
as the mean intensity at each |q| times random numbers. beta grows from its first value to 1. Many starts are sorted on
a coarse grid; the one of the largest likelihood goes on to finer grids. The mean at that |q| is the prior where little
was measured. Frames that fit far worse than the others do (two particles at once) are left out, as are blank ones.

Valid for single scattering of identical particles whose intensity obeys Friedel's law. Rotations must be so fine that
a speckle at the edge of the data is met: steps of at most d / D for the full-period resolution d and the diameter D.
The result is known up to one rotation of the particle.

References: Loh & Elser, Phys. Rev. E 80, 026705 (2009), doi 10.1103/PhysRevE.80.026705; Loh et al., Phys. Rev. Lett.
104, 225501 (2010), doi 10.1103/PhysRevLett.104.225501; Ayyer et al., J. Appl. Cryst. 49, 1320 (2016), doi
10.1107/S1600576716008165.
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from xsim.constants import wavenumber
from xsim.exposure import Array, Axis, Measurement, Truth
from xsim.model import Model
from xsim.reconstruct import _emc
from xsim.reconstruct._data import need, offsets, refuse, single_energy
from xsim.reconstruct._photon_frames import PhotonFrames, hits, photon_frames
from xsim.reconstruct._protocol import Reconstruction
from xsim.reconstruct._rotation_grid import STEP, level_for, rotation_grid
from xsim.reconstruct._sorting_checks import COARSE, extent, warn_if_coarse, warn_if_not_sorted
from xsim.reconstruct._sorting_runs import Course, Sorting, best_start, refined
from xsim.streams import StreamKey

#: the finest grid that is chosen without being asked for
LARGEST = 8


class Emc(Model):
    """level: of the finest rotation grid, 10 (n + 5 n^3) rotations that resolve 0.944/n rad, or "auto" for what the
    particle's diameter asks for (at most 8); starts: random starts on the grid of first_level; iterations: at most, on
    each grid; beta: the first, or "auto" for 1 at few photons and less at many; voxels: of the model along a speckle
    (2 pi over the diameter), but none smaller than a pixel; q_max: share of the detector's edge up to which pixels are
    used; least_photons: of a hit; scale: whether each frame has a fluence of its own;
    outliers: misfit in robust standard deviations beyond which a frame is left out; tolerance: relative change of the
    model at which iterations end.
    """

    kind: Literal["emc"] = "emc"
    techniques: ClassVar[tuple[str, ...]] = ("single_particle",)
    level: Annotated[int, Field(ge=1, le=20)] | Literal["auto"] = "auto"
    first_level: Annotated[int, Field(ge=1, le=20)] = 3
    starts: Annotated[int, Field(ge=1, le=100)] = 2
    iterations: Annotated[int, Field(ge=1, le=10_000)] = 20
    beta: Annotated[float, Field(gt=0, le=1)] | Literal["auto"] = "auto"
    voxels: Annotated[float, Field(ge=2, le=20)] = 2.5
    q_max: Annotated[float, Field(gt=0, le=1.5)] = 1.0
    least_photons: Annotated[float, Field(gt=0)] = 10.0
    scale: bool = True
    outliers: Annotated[float, Field(gt=0)] = 6.0
    tolerance: Annotated[float, Field(gt=0, lt=1)] = 2e-3
    seed: Annotated[int, Field(ge=0)] = 1

    def accepts(self, measurement: Measurement) -> str:
        """Why it cannot reconstruct this measurement; empty if it can."""
        if len(measurement.axes) != 2:
            return "its frames are not images"
        if len(measurement.frames) < 2:
            return "it has one frame; sorting needs many shots"
        return single_energy(measurement)

    def __call__(self, measurement: Measurement) -> Reconstruction:
        """The intensity (z, y, x) in reciprocal space, photons per mean pixel and frame, with its errors.

        Raises FileError if this is no stream of patterns or holds no two hits.
        """
        refuse(measurement, self.kind, self.accepts(measurement))
        everything = photon_frames(measurement)
        hit = hits(everything, self.least_photons)
        frames = everything.take(hit)
        side, edge = _pixel(measurement), self.q_max * _edge(measurement)
        diameter = extent(frames, side)
        level = self._level(diameter, edge)
        needed = warn_if_coarse(level, diameter, edge)
        voxel = max(side, 2 * np.pi / (diameter * self.voxels))
        found = self._sorted(frames, edge, voxel, level)
        warn_if_not_sorted(found)
        size = {"diameter [m]": diameter, "rotation_step [rad]": STEP / level, "rotation_step_needed [rad]": needed}
        return self._result(found, hit, voxel, size)

    def _level(self, diameter: float, edge: float) -> int:
        if self.level != "auto":
            return int(self.level)
        return min(LARGEST, level_for(COARSE * 2 * np.pi / (edge * diameter)))

    def _sorted(self, frames: PhotonFrames, edge: float, voxel: float, level: int) -> Sorting:
        """Coarse rotations and the middle of the pattern first, each grid as far out as it is fine enough for."""
        course = Course(self.iterations, self._beta(frames), self.tolerance, self.scale, self.outliers)
        key = StreamKey(self.seed, "reconstruct/emc/start")
        step = min(self.first_level, level)
        found = best_start(_emc.sorter(frames, edge * step / level, voxel, step), course, key, self.starts)
        while step < level:
            step = min(level, step + max(1, step // 3))
            found = refined(_emc.sorter(frames, edge * step / level, voxel, step), course, found)
        return found

    def _beta(self, frames: PhotonFrames) -> float:
        """The first beta: at many photons likelihoods are so sharp that the first guess of a model would be final."""
        return float(min(1.0, (20 / float(frames.totals.mean())) ** 0.5)) if self.beta == "auto" else float(self.beta)

    def _result(self, found: Sorting, hit: Array, voxel: float, size: dict[str, float]) -> Reconstruction:
        n = found.job.n
        axes = tuple(Axis(name, (np.arange(n) - n // 2) * voxel, "rad/m") for name in "zyx")
        known = found.exposure > 0
        safe = np.where(known, found.exposure, 1.0)
        intensity = np.where(known, found.photons / safe, np.nan)
        error = np.where(known, np.sqrt(found.photons + 1) / safe, np.inf)
        steps = np.arange(1, len(found.history["likelihood"]) + 1)
        extras = {
            "photons": Truth(found.photons, axes, "photons"),
            "exposure": Truth(found.exposure, axes, "frames"),
            "log_likelihood": Truth(found.history["likelihood"], (Axis("iteration", steps),), "nat"),
            **_per_frame(found, hit),
        }
        numbers = {
            "frames": float(len(hit)),
            "blank": float(np.sum(~hit)),
            "left_out": float(np.sum(~found.used)),
            "photons_per_frame": float(found.job.frames.totals.mean()),
            "rotations": float(len(rotation_grid(found.job.level)[0])),
            "iterations": float(len(found.history["change"])),
            "mutual_information [nat]": float(found.history["information"][-1]),
            "log_likelihood [nat]": float(found.history["likelihood"][-1]),
            **size,
        }
        title = f"intensity of {int(found.used.sum())} frames sorted by EMC"
        shown = {name: found.history[name] for name in ("change", "information")}
        return Reconstruction(intensity, axes, "photons", title, "intensity", shown, error, extras, numbers)


def _pixel(measurement: Measurement) -> float:
    """Width of a pixel near the beam [rad/m]."""
    k = float(wavenumber(measurement.frames["energy"][0]))
    return k * need(measurement, "detector_pixel", "pixel") / need(measurement, "detector_distance", "distance")


def _edge(measurement: Measurement) -> float:
    """|q| [rad/m] at the middle of the detector's nearest edge."""
    reach = min(float(np.abs(side).max()) for side in offsets(measurement))
    k = float(wavenumber(measurement.frames["energy"][0]))
    angle = float(np.arctan2(reach, need(measurement, "detector_distance", "distance")))
    return 2 * k * float(np.sin(angle / 2))


def _per_frame(found: Sorting, hit: Array) -> dict[str, Truth]:
    """For all frames of the stream: orientation (NaN where there is none), its chance, fluence, misfit, use."""
    shots = Axis("shot", np.arange(len(hit)))
    used = np.zeros(len(hit), bool)
    used[hit] = found.used
    quaternion, wide = np.full((len(hit), 4), np.nan), np.full((3, len(hit)), np.nan)
    quaternion[hit] = found.orientations
    quaternion[~used] = np.nan
    wide[:, hit] = found.sharpness, found.last.fluence, found.last.misfit
    parts = Axis("quaternion", np.array(["w", "x", "y", "z"]))
    made = {"orientation": Truth(quaternion, (shots, parts)), "used": Truth(used.astype(np.uint8), (shots,))}
    return made | {
        name: Truth(row, (shots,)) for name, row in zip(("certainty", "relative_fluence", "misfit"), wide, strict=True)
    }
