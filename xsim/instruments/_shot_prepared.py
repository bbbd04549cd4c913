"""Shots at a specimen: the expected pictures of single-particle imaging, shot by shot."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from xsim.constants import wavenumber
from xsim.dose.pulse_damage import Target
from xsim.exposure import Axis, Exposure, FrameTable, Illumination, Truth
from xsim.instruments._ladder import born_note
from xsim.instruments._recent import Recent
from xsim.instruments._shot_hits import Flights, focus_of, hits_truth
from xsim.instruments._shot_light import brightest, shot_truth
from xsim.instruments._shot_picture import Body, kept_truth, passed, shot_picture, target_of
from xsim.instruments._shot_pixels import Pixels, together
from xsim.specimen import rotations
from xsim.specimen.specimen import Specimen
from xsim.specimen.turning import Turning, reach, turning
from xsim.waves.grid import Grid

if TYPE_CHECKING:
    from xsim.instruments.single_particle import SingleParticle

FloatArray = NDArray[np.float64]

#: relative width in photon energy within which one lattice of amplitudes serves all (f' and f'' of its middle)
BAND = 5e-3


def body_at(one: SingleParticle, specimen: Specimen, seen: Pixels, energy: float, scale: float) -> Turning:
    """The particle's amplitude at `energy` [eV], for every pixel and shot and sizes up to `scale`."""
    vectors = (
        float(seen.solid_angle.size) * one.shots * (one.hits or 1.0) * (1 if one.pulse is None else one.pulse.lines)
    )
    q_max = seen.q_end(energy) * scale * (1 + BAND)
    return turning(specimen, energy, q_max, vectors=vectors, tolerance=one.tolerance, way=one.amplitude)


@dataclass(frozen=True, eq=False)
class PreparedSingleParticle:
    """The instrument, the particle, those that meet each shot, the pixels, and the amplitude at the nominal energy."""

    instrument: SingleParticle
    specimen: Specimen
    met: Flights
    seen: Pixels
    body: Turning
    others: Recent = field(default_factory=lambda: Recent(4))  #: lattices at other energies

    @cached_property
    def target(self) -> Target | None:
        """The particle that pulses damage."""
        return target_of(self.specimen)

    @property
    def frame_bytes(self) -> int:
        """Working memory of one frame: a few vectors and amplitudes of the detector."""
        return int(np.prod(self.instrument.detector.shape)) * 8 * 16

    def expose(self, frames: FrameTable) -> Exposure:
        """Expected photons (shots, 1, y, x)."""
        one = self.instrument
        expected = np.empty((len(frames), 1, *one.detector.shape))
        incident, energies = np.empty(len(frames)), np.empty(len(frames))
        for i, shot in enumerate(frames["shot"].tolist()):
            shown = shot_picture(one, self.seen, self._atoms_in(shot), frames, i, self._body_in(shot))
            expected[i, 0] = shown.expected
            incident[i], energies[i] = shown.photons, shown.energy
        return Exposure(expected, energies[:, None], self._axes(), frames, incident)

    def _atoms_in(self, shot: int) -> tuple[Target | None, float]:
        """The particle that is damaged, and how many of it, weighted by the light and size of each, are in a shot."""
        rows = self.met.of(shot)
        places, scales = self.met.position[rows.start : rows.stop], self.met.scale[rows.start : rows.stop]
        focus = focus_of(self.instrument)
        share = focus.density(places[:, 0], places[:, 1]) / focus.peak if self.met.placed else np.ones(len(rows))
        return self.target, float(np.sum(share * scales**3))

    def _body_in(self, shot: int) -> Body:
        """Scattered intensity per fluence (of the middle of the focus) and solid angle [m^2] in a shot, at q."""
        rows = self.met.of(shot)
        turns = rotations.from_quaternion(self.met.orientation[rows.start : rows.stop]).reshape(-1, 3, 3)
        places, scales = self.met.position[rows.start : rows.stop], self.met.scale[rows.start : rows.stop]
        focus = focus_of(self.instrument)
        share = focus.density(places[:, 0], places[:, 1]) / focus.peak if self.met.placed else np.ones(len(rows))

        def intensity(q: FloatArray, energy: float, grown: float) -> FloatArray:
            # a particle that grows is asked for beyond the lattice
            body = self._body(energy) if grown == 1 else replace(self._body(energy), lattice=None)
            found = [body.amplitude(q * grown, t, s) for t, s in zip(turns, scales.tolist(), strict=True)]
            width = wavenumber(energy) * self.instrument.detector.pixel / self.instrument.distance
            return np.asarray(together(found, share.tolist(), places, q, width) * passed(self.specimen, energy))

        return intensity

    def _body(self, energy: float) -> Turning:
        """The amplitude at `energy` [eV]; one lattice serves photon energies within `BAND` of each other."""
        if energy == self.body.energy:
            return self.body
        if self.body.lattice is None:
            return replace(self.body, energy=energy)
        number = round(float(np.log(energy / self.body.energy)) / BAND)
        if number == 0:
            return self.body
        middle = self.body.energy * float(np.exp(number * BAND))
        found: Turning = self.others.get(number, lambda: self._at(middle))
        return found

    def _at(self, energy: float) -> Turning:
        return body_at(self.instrument, self.specimen, self.seen, energy, float(self.met.scale.max(initial=1.0)))

    def _axes(self) -> tuple[Axis, Axis]:
        ny, nx = self.instrument.detector.shape
        pixel = self.instrument.detector.pixel
        return Axis("y", (np.arange(ny) - ny // 2) * pixel, "m"), Axis("x", (np.arange(nx) - nx // 2) * pixel, "m")

    def illuminate(self, frames: FrameTable) -> list[Illumination]:
        """The fluence of one shot, for every shot meets a fresh particle."""
        radius = max(reach(self.specimen), 1e-9)
        grid = Grid((64, 64), 2.2 * radius / 64)
        energies = list(dict.fromkeys(frames["energy"].tolist()))
        fluence = np.full(grid.shape, brightest(self.instrument, frames))
        return [Illumination(energy, grid, fluence, pose=f"fresh particle at {energy:.6g} eV") for energy in energies]

    def truth(self) -> dict[str, Truth]:
        """The particles in each shot, and the light they met."""
        one = self.instrument
        kept = kept_truth(one, self.seen, self.target, [one.pulse]) if one.pulse is not None else {}
        light = shot_truth(one)
        if self.met.placed:  # where each particle was, instead of where the jitter would have put one
            light.pop("position", None)
        return {**light, **kept, **hits_truth(one, self.met)}

    def measured(self) -> dict[str, str]:
        """Single scattering and how near its limit; how amplitudes are found and how far from exact."""
        return {**born_note(self.specimen.populations, self.instrument.energy), **self.body.note()}
