"""One specimen, several instruments: absolute photons and places must agree between techniques."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xsim.instruments.cdi import Cdi
from xsim.instruments.fluorescence import Fluorescence
from xsim.instruments.saxs import Saxs
from xsim.instruments.single_particle import SingleParticle
from xsim.matter import library
from xsim.specimen.specimen import Specimen


def part(name: str, material: Any, shape: dict[str, Any], place: list[str], **more: Any) -> dict[str, Any]:
    placement = {"kind": "at", "positions": [place]}
    return {"name": name, "material": material, "shape": shape, "placement": placement, **more}


def exposed(instrument: Any, specimen: Specimen) -> np.ndarray[Any, Any]:
    return np.asarray(instrument.prepare(specimen).expose(instrument.frames()).expected[0, 0])


def test_diffraction_imaging_single_particles_and_small_angle_scattering_agree_in_absolute_photons() -> None:
    turned = {"axis": [1.0, 2.0, 0.5], "angle": "35 deg"}
    ellipsoid = {"kind": "ellipsoid", "semi_axes": ["60 nm", "40 nm", "50 nm"]}
    parts = [
        part("a", "protein", ellipsoid, ["150 nm", "30 nm", "-40 nm"], orientation=turned),
        part("b", "protein", {"kind": "truncated_octahedron", "edge": "30 nm"}, ["-90 nm", "-110 nm", "60 nm"]),
    ]
    specimen = Specimen.from_table({"extent": ["1 um", "0.8 um"], "population": parts})
    detector = {"kind": "photon_counter", "shape": [48, 56], "pixel": "150 um"}
    common = {"energy": "6.5 keV", "flux": "3e11 1/s", "exposure_time": "0.7 s", "distance": "1.7 m"}
    common |= {"beam_stop": "400 um", "polarisation": 0.3, "detector": detector}
    cdi = exposed(Cdi.model_validate({"beam": "3 um", "model": "born", **common}), specimen)
    shot = {"focus": "3 um", "orientation": "fixed", "shots": 1}
    single = exposed(SingleParticle.model_validate({**shot, **common}), specimen)
    small_angle = Saxs.model_validate({"beam": "3 um", "interference": "explicit", **common})
    transmission = small_angle.prepare(specimen).transmission(6500.0)
    saxs = exposed(small_angle, specimen) / transmission
    assert np.ptp(cdi) > 0
    np.testing.assert_allclose(single, cdi, rtol=1e-9)
    # small-angle scattering fills the beam with one such group of particles per extent
    shown = cdi > 0
    np.testing.assert_allclose(saxs[shown], (np.pi * 1.5e-6**2 / 0.8e-12) * cdi[shown], rtol=1e-9)


def test_a_particle_in_ice_scatters_equally_into_both_diffraction_cameras() -> None:
    layers = [{"material": "vitreous_ice", "thickness": "20 um"}]
    dot = part("dot", "gold", {"kind": "sphere", "radius": "20 nm"}, ["0 nm", "0 nm", "0 nm"])
    specimen = Specimen.from_table({"extent": ["1 um", "1 um"], "layers": layers, "population": [dot]})
    detector = {"kind": "photon_counter", "shape": [32, 32], "pixel": "150 um"}
    common = {"energy": "3 keV", "flux": "3e9 1/s", "exposure_time": "1 s", "beam_stop": "400 um", "detector": detector}
    cdi = exposed(Cdi.model_validate({"beam": "3 um", "model": "born", "distance": "0.5 m", **common}), specimen)
    shot = {"focus": "3 um", "orientation": "fixed", "shots": 1, "distance": "0.5 m"}
    single = exposed(SingleParticle.model_validate({**shot, **common}), specimen)
    np.testing.assert_allclose(single, cdi, rtol=1e-9)


@pytest.mark.parametrize("side", [1, -1])
def test_a_wall_dims_the_fluorescence_behind_it_only_on_the_side_of_the_detector(side: int) -> None:
    aluminium = {"formula": "Al", "density": "2.7 g/cm^3"}
    wall = {"kind": "box", "sides": ["200 nm", "400 nm", "800 nm"]}
    dot = part("dot", aluminium, {"kind": "cube", "edge": "100 nm"}, ["0 nm", "0 nm", "0 nm"])
    setting: dict[str, Any] = {"field": ["100 nm", "100 nm"], "step": "50 nm", "detector_angle": "90 deg", "slabs": 8}
    setting |= {"zone_plate": {"outermost_zone": "20 nm", "diameter": "60 um"}}
    instrument = Fluorescence.model_validate(setting)

    def photons(parts: list[dict[str, Any]]) -> float:
        specimen = Specimen.from_table({"extent": ["2 um", "2 um"], "population": parts})
        return float(instrument.prepare(specimen).truth()["line_Al_K"].values.max())

    walled = photons([dot, part("wall", "gold", wall, [f"{side * 300} nm", "0 nm", "0 nm"])])
    through = np.exp(-float(library.find("gold").optics(1486.6).mu_total) * 200e-9)
    assert walled / photons([dot]) == pytest.approx(through if side > 0 else 1.0, rel=5e-3)
