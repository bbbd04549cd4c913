"""Several detectors of one kind that look at the same spot from different sides, along an axis "detector"."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np
from pydantic import AfterValidator

from xsim.errors import RangeError
from xsim.exposure import Axis, Exposure, FrameTable, Illumination, Truth
from xsim.instruments._detector_angle import DetectorAngle
from xsim.instruments._fluorescence_prepared import FluorescencePrepared
from xsim.interaction.emission import Cone
from xsim.model import Model
from xsim.specimen.specimen import Specimen
from xsim.units import Angle, PositiveLength


class Place(Model):
    """Where one of several detectors stands: its name, its angle from the beam's direction, its azimuth about the beam.

    azimuth: from the horizontal plane of polarisation, 90 degrees looks from above (+y) [rad]; distance from the
    specimen [m], that of `detector` where not given.
    """

    name: str
    angle: DetectorAngle
    azimuth: Angle = 0.0
    distance: PositiveLength | None = None

    def cone(self, detector: Any, polarised: bool) -> Cone:
        """What it sees."""
        placed = detector.model_copy(update={"distance": self.distance}) if self.distance else detector
        return Cone(self.angle, float(placed.solid_angle), polarised, self.azimuth)


def _distinct(value: tuple[Place, ...]) -> tuple[Place, ...]:
    names = [place.name for place in value]
    if len(set(names)) < len(names):
        raise RangeError("names of detectors", value=", ".join(names), allowed="each once")
    return value


#: detectors of one kind at places of their own, none for the single one of the instrument
Places = Annotated[tuple[Place, ...], AfterValidator(_distinct)]


def prepared_for(instrument: Any, specimen: Specimen) -> FluorescencePrepared | SeveralPrepared:
    """The specimen as the instrument's `detectors` see it, or its one detector. May raise and warn."""
    if instrument.detectors:
        return SeveralPrepared.of(instrument, specimen)
    return FluorescencePrepared.of(instrument, specimen)


def placed(instrument: Any) -> dict[str, Any]:
    """Geometry entries: angle, distance and solid angle of the one detector, or of each with its azimuth."""
    detector, places = instrument.detector, instrument.detectors
    if not places:
        return {
            "detector_angle [rad]": instrument.detector_angle,
            "detector_distance [m]": float(detector.distance),
            "solid_angle [sr]": float(detector.solid_angle),
        }
    cones = [place.cone(detector, instrument.polarised) for place in places]
    return {
        "detector_angle [rad]": np.array([cone.angle for cone in cones]),
        "detector_azimuth [rad]": np.array([cone.azimuth for cone in cones]),
        "detector_distance [m]": np.array([place.distance or float(detector.distance) for place in places]),
        "solid_angle [sr]": np.array([cone.solid_angle for cone in cones]),
    }


@dataclass(frozen=True, eq=False)
class SeveralPrepared:
    """The specimen as each detector sees it."""

    places: tuple[Place, ...]
    parts: tuple[FluorescencePrepared, ...]

    @staticmethod
    def of(instrument: Any, specimen: Specimen) -> SeveralPrepared:
        """The specimen cut into voxels and its ways out followed for each detector. May raise and warn."""
        cones = [place.cone(instrument.detector, instrument.polarised) for place in instrument.detectors]
        parts = tuple(FluorescencePrepared.of(instrument, specimen, cone) for cone in cones)
        return SeveralPrepared(instrument.detectors, parts)

    @property
    def frame_bytes(self) -> int:
        """Of all detectors."""
        return sum(part.frame_bytes for part in self.parts)

    def check_energy(self, energy: float) -> None:
        """Raise an error or warn where the optic or the grid do not serve `energy` [eV]."""
        self.parts[0].check_energy(energy)

    def expose(self, frames: FrameTable) -> Exposure:
        """Expected photons (points, groups, detectors); what differs in energy between detectors is a group each."""
        seen = [(part.expose(frames), part.labels(frames)) for part in self.parts]
        column_of: dict[str, int] = {}
        for place, (_, labels) in zip(self.places, seen, strict=True):
            for label in labels:
                column_of.setdefault(_apart(label, place), len(column_of))
        expected = np.zeros((len(frames), len(column_of), len(self.parts)))
        energy = np.zeros((len(frames), len(column_of)))
        for k, (place, (exposure, labels)) in enumerate(zip(self.places, seen, strict=True)):
            columns = [column_of[_apart(label, place)] for label in labels]
            expected[:, columns, k] = exposure.expected
            energy[:, columns] = exposure.group_energy
        axis = Axis("detector", np.array([place.name for place in self.places]))
        return Exposure(expected, energy, (axis,), frames, seen[0][0].incident)

    def measured(self) -> dict[str, Any]:
        """As one detector measures it."""
        return self.parts[0].measured()

    def illuminate(self, frames: FrameTable) -> list[Illumination]:
        """The spots of all points added up."""
        return self.parts[0].illuminate(frames)

    def truth(self) -> dict[str, Truth]:
        """Area densities, photons of every family into all detectors together, and every line's by detector."""
        each = [part.truth() for part in self.parts]
        found = dict(each[0])
        for name in dict.fromkeys(name for truth in each for name in truth):
            have = [truth[name] for truth in each if name in truth]
            if name in ("line_energies", "line_photons", "line_maps"):
                labels = [
                    f"{v} {p.name}" for p, t in zip(self.places, each, strict=True) for v in t[name].axes[0].values
                ]
                values = np.concatenate([truth.values for truth in have])
                found[name] = Truth(values, (Axis("line", np.array(labels)), *have[0].axes[1:]), have[0].unit)
            elif name.startswith(("line_", "scatter_")):
                found[name] = Truth(np.sum([truth.values for truth in have], axis=0), have[0].axes, have[0].unit)
        return found


def _apart(label: str, place: Place) -> str:
    """Compton scatter has an energy of its own in each detector."""
    return f"{label} {place.name}" if label.startswith("Compton") else label
