"""A stream of aligned molecules before the detector: its mean pattern, dose and truth. See `aligned_stream`."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from xsim.dose.required import electron_contrast, required_fluence
from xsim.errors import SamplingWarning
from xsim.exposure import Axis, Exposure, FrameTable, Illumination, Truth
from xsim.instruments._ladder import born_note
from xsim.instruments._recent import Recent
from xsim.instruments._shot_picture import passed
from xsim.instruments._shot_pixels import Pixels, pixels
from xsim.interaction.aligned_average import Averaged, averages, sampled
from xsim.interaction.alignment import Alignment, mean_square_axes, strength
from xsim.interaction.polarisability import Polarisability, polarisability
from xsim.specimen.specimen import Specimen
from xsim.specimen.turning import Turning, reach, turning
from xsim.streams import StreamKey
from xsim.waves.grid import Grid

if TYPE_CHECKING:
    from xsim.instruments.aligned_stream import AlignedStream

FloatArray = NDArray[np.float64]

#: intensities, in units of the laser's, for which the resolution is told; the last is as good as perfect alignment
_FACTORS = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
_PERFECT = 1e6
#: share of the structure of perfectly aligned molecules that resolution asks for
_KEPT = 0.5


@dataclass(frozen=True, eq=False)
class MeanPattern:
    """<|f|^2> (y, x) [m^2] of one molecule; error: relative rms of the mean; how: in words."""

    picture: FloatArray
    error: float
    how: str


@dataclass(frozen=True, eq=False)
class PreparedAlignedStream:
    """The instrument, one molecule, its polarisability and alignment, and the pixels."""

    instrument: AlignedStream
    specimen: Specimen
    polarisable: Polarisability
    alignment: Alignment
    seen: Pixels
    patterns: Recent = field(default_factory=lambda: Recent(4))

    @property
    def frame_bytes(self) -> int:
        """Working memory of one frame: a few vectors of the detector."""
        return int(np.prod(self.instrument.detector.shape)) * 8 * 16

    def pattern(self, energy: float) -> MeanPattern:
        """The mean of one molecule's |f|^2 at `energy` [eV], kept."""
        found: MeanPattern = self.patterns.get(energy, lambda: self._pattern(energy))
        return found

    def expose(self, frames: FrameTable) -> Exposure:
        """Expected photons (frames, 1, y, x)."""
        one = self.instrument
        image = self.seen.solid_angle * self.seen.open * self.seen.polarised * one.molecules * one.fluence_rate
        pairs = zip(frames["energy"].tolist(), frames["time"].tolist(), strict=True)
        expected = np.stack(
            [self.pattern(energy).picture * image * time * passed(self.specimen, energy) for energy, time in pairs]
        )
        return Exposure(
            expected[:, None], frames["energy"][:, None], self._axes(), frames, one.flux * np.asarray(frames["time"])
        )

    def _axes(self) -> tuple[Axis, Axis]:
        (ny, nx), pixel = self.instrument.detector.shape, self.instrument.detector.pixel
        return Axis("y", (np.arange(ny) - ny // 2) * pixel, "m"), Axis("x", (np.arange(nx) - nx // 2) * pixel, "m")

    def _body(self, energy: float) -> Turning:
        one, q_max = self.instrument, self.seen.q_end(energy)
        size = q_max * reach(self.specimen)
        vectors = 20 * size**3 if self.alignment.share == 1 else float(self.seen.solid_angle.size) * one.orientations
        # |f|^2 is off by twice as much as f
        return turning(
            self.specimen, energy, q_max * (1 + 1e-9), vectors=vectors, tolerance=one.tolerance / 2, way=one.amplitude
        )

    def _pattern(self, energy: float) -> MeanPattern:
        if self.alignment.share < 1:
            return self._sampled(energy)
        q = self.seen.q(energy)
        length = np.sqrt((q**2).sum(axis=-1))
        axis = self.instrument.laser.frame()[0]
        cosine = (q * axis).sum(axis=-1) / np.where(length > 0, length, 1.0)
        found = self.means(energy, [1.0])[0]
        degree = 2 * (found.coefficients.shape[1] - 1)
        amplitude = self._body(energy).note()["amplitude"]
        how = f"convolution on the sphere up to degree {degree} on {len(found.q)} shells of q, {amplitude}"
        return MeanPattern(found(length, cosine), self.instrument.tolerance, how)

    def means(self, energy: float, factors: list[float]) -> list[Averaged]:
        """The means for linear polarisation at multiples of the laser's intensity."""
        body, axes = self._body(energy), self.polarisable.axes

        def square(q: FloatArray) -> FloatArray:
            a = body.amplitude(q, axes)  # axes @ q_specimen = q
            return np.asarray(a.real.astype(np.float64) ** 2 + a.imag.astype(np.float64) ** 2)

        strengths = [self.alignment.strengths * f for f in factors]
        return averages(square, reach(self.specimen), self.seen.q_end(energy), strengths)

    def _sampled(self, energy: float) -> MeanPattern:
        one, body, q = self.instrument, self._body(energy), self.seen.q(energy).reshape(-1, 3)
        ellipse = one.laser.frame()

        def square(rotation: FloatArray) -> FloatArray:
            # specimen -> principal axes -> ellipse -> laboratory
            turn = np.einsum("ki,kl,lj->ij", ellipse, rotation, self.polarisable.axes)
            a = body.amplitude(q, turn)
            return np.asarray(a.real.astype(np.float64) ** 2 + a.imag.astype(np.float64) ** 2)

        def draw(count: int, batch: int) -> FloatArray:
            return self.alignment.draw(count, StreamKey(one.orientation_seed, f"aligned_stream/orientations/{batch}"))

        mean, error, count = sampled(square, draw, one.tolerance, one.orientations)
        if error > one.tolerance:
            warnings.warn(
                f"aligned_stream: mean over {count} orientations to {error:.2g}, limit {one.tolerance:g} (tolerance); "
                f"raise orientations to {int(count * (error / one.tolerance) ** 2) + 1}, or tolerance",
                SamplingWarning,
                stacklevel=4,
            )
        return MeanPattern(
            mean.reshape(self.seen.solid_angle.shape), error, f"mean of {count} orientations, {error:.1e}"
        )

    def illuminate(self, frames: FrameTable) -> list[Illumination]:
        """The fluence of one passage through the beam, which is what each molecule meets."""
        one = self.instrument
        grid = Grid((64, 64), 2.2 * max(reach(self.specimen), 1e-9) / 64)
        times: dict[float, float] = {}
        for energy, time in zip(frames["energy"].tolist(), frames["time"].tolist(), strict=True):
            times[energy] = min(one.passage, time)
        return [
            Illumination(e, grid, np.full(grid.shape, one.fluence_rate * time), pose=f"one passage at {e:.6g} eV")
            for e, time in times.items()
        ]

    def truth(self) -> dict[str, Truth]:
        """Polarisability, K and <cos^2> to the main axis for the principal axes, resolution and exposure."""
        one, named = self.instrument, Axis("principal_axis", np.arange(3))
        found = {
            "polarisability": Truth(self.polarisable.principal, (named,), "m^3"),
            "strength": Truth(self.alignment.strengths, (named,)),
            "molecules_in_beam": Truth(np.array(one.molecules), ()),
            **self._exposure_times(),
        }
        if self.alignment.share == 1:
            found["mean_square_cosine"] = Truth(mean_square_axes(self.alignment.strengths), (named,))
            found |= self._resolution()
        return found

    def _resolution(self) -> dict[str, Truth]:
        """Share of structure kept, by q, and the resolution where half is kept, by intensity at this temperature."""
        strengths = self.alignment.strengths
        if np.ptp(strengths) < 1e-9:
            return {}
        perfectly = _PERFECT / float(np.ptp(strengths))
        factors = [*(min(f, perfectly) for f in _FACTORS), perfectly]
        means = self.means(self.instrument.energy, factors)
        q, perfect = means[0].q, means[-1].structure
        lit = perfect > 1e-9 * means[-1].coefficients[:, 0]
        kept = [np.where(lit, m.structure / np.where(lit, perfect, 1.0), 1.0) for m in means[:-1]]
        intensity = Axis("intensity", np.array(_FACTORS) * self.instrument.laser.intensity, "W/m^2")
        return {
            "structure_kept": Truth(kept[_FACTORS.index(1.0)], (Axis("q", q, "rad/m"),)),
            "alignment_resolution": Truth(np.array([_limit(q, k, lit) for k in kept]), (intensity,), "m"),
        }

    def _exposure_times(self) -> dict[str, Truth]:
        """Time [s] until a voxel of size d is seen (25 photons), which goes as d^-4."""
        one = self.instrument
        sizes = 2 * np.pi / self.seen.q_end(one.energy) / 2 * np.array([1.0, 2.0, 4.0])
        contrast = electron_contrast(next(p for p in self.specimen.populations if len(p)).material, None, one.energy)
        rate = one.molecules * one.fluence_rate
        times = [required_fluence(contrast, float(d), one.energy) / rate for d in sizes]
        return {"exposure_for_detail": Truth(np.array(times), (Axis("detail", sizes, "m"),), "s")}

    def measured(self) -> dict[str, Any]:
        """Single scattering and how near its limit; how the mean over orientations is found."""
        return {
            **born_note(self.specimen.populations, self.instrument.energy),
            "orientation_average": self.pattern(self.instrument.energy).how,
        }


def _limit(q: FloatArray, kept: FloatArray, lit: NDArray[np.bool_]) -> float:
    """2 pi/q [m] at the first shell with structure where less than `_KEPT` of it is kept; the last shell if none is."""
    below = np.flatnonzero(lit & (kept < _KEPT))
    return float(2 * np.pi / q[max(int(below[0]), 1) if len(below) else -1])


def prepared_stream(one: AlignedStream, specimen: Specimen) -> PreparedAlignedStream:
    """The polarisability, alignment and pixels of `one` at `specimen`."""
    if one.polarisability is not None:
        given = Polarisability(np.array(one.polarisability), np.eye(3))
    else:
        given = polarisability(specimen, one.refractive_index)
    k = strength(given.principal, one.laser.intensity, one.temperature)
    # a scalar turns nothing; without it exponents stay small
    alignment = Alignment(k - k.min(), one.laser.share)
    seen = pixels(one.detector, one.distance, one.beam_stop, one.polarisation)
    return PreparedAlignedStream(one, specimen, given, alignment, seen)
