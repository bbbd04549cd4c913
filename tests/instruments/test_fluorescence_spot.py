"""The spot of a fluorescence microprobe: no light lost, its profile in a dot's map, halos, depth, moving foci."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.special import j1

from xsim.constants import wavelength
from xsim.errors import ValidityWarning, XsimWarning
from xsim.instruments.fluorescence import Fluorescence
from xsim.optics.kirkpatrick_baez import KirkpatrickBaez, Mirror
from xsim.specimen.specimen import Specimen

PLATE = {"outermost_zone": "50 nm", "diameter": "160 um", "material": "gold", "thickness": "1 um"}
STOPPED = {**PLATE, "central_stop": 0.5}
SHARP = {"horizontal": {"source_size": "0 um"}, "vertical": {"source_size": "0 um"}}
FILM = Specimen.from_table({"extent": ["1 um", "1 um"], "layers": [{"material": "hematite", "thickness": "20 nm"}]})


def dot(height: float = 0.0, radius: str = "4 nm", x: float = 0.0) -> Specimen:
    place = {"kind": "at", "positions": [[f"{x} m", "0 nm", f"{height} m"]]}
    shape = {"kind": "sphere", "radius": radius}
    part = {"name": "dot", "material": "gold", "shape": shape, "placement": place}
    return Specimen.from_table({"extent": ["1 um", "1 um"], "population": [part]})


def gold(one: Fluorescence, specimen: Specimen, **columns: Any) -> np.ndarray[Any, Any]:
    """Photons of gold's L3 lines per point and photon in the focus."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XsimWarning)
        prepared = one.prepare(specimen)
    frames = one.frames().with_columns(**columns)
    found = prepared.expose(frames)
    lines = (found.group_energy[0] > 9600) & (found.group_energy[0] < 9750)
    per_photon = found.expected[:, lines].sum(axis=1) / (one.flux * np.asarray(frames["time"]))
    return np.asarray(per_photon.reshape(one.frames().shape))


@pytest.mark.parametrize(
    "optic",
    [
        {"mirrors": SHARP},
        {"mirrors": {"horizontal": {"figure_error": "2 nm", "figure_correlation": "1 mm"}}},
        {"mirrors": {"horizontal": {"focus_offset": "300 um"}}},
        {"zone_plate": PLATE},
        {"zone_plate": STOPPED, "source_image": ["60 nm", "20 nm"], "defocus": "80 um"},
        {"zone_plate": PLATE, "defocus": "3 mm"},
    ],
)
def test_the_light_of_a_film_does_not_depend_on_the_spot(optic):
    shape = {"field": ("200 nm", "200 nm"), "step": "100 nm"}
    found = []
    for one in (Fluorescence(**shape), Fluorescence(**shape, **optic)):
        frames = one.frames()
        found.append(one.prepare(FILM).expose(frames).expected.sum(axis=1) / one.flux / one.exposure_time)
    assert found[1] == pytest.approx(found[0], rel=1e-9)


def test_a_dot_under_mirrors_shows_sinc_squared_along_each_axis_into_its_arms():
    one = Fluorescence(energy="14 keV", field=("5 um", "200 nm"), step="50 nm", mirrors=SHARP)
    row = gold(one, dot())[2]
    x = one.frames()["x"].reshape(4, -1)[2]
    u = 2 * one.mirrors.horizontal.numerical_aperture * x / wavelength(14e3)
    want = np.sinc(u) ** 2 / np.sinc(0) ** 2
    near = np.abs(x) < 0.8e-6
    assert row[near] / row.max() == pytest.approx(want[near], abs=4e-3)
    # beyond the edge u of its middle pixels the arm holds 1/(pi^2 u) of the light
    prepared = one.prepare(dot())
    arms = prepared.voxels.spot(14e3, 0)[1].kernel.sum(axis=0)
    away = np.arange(len(arms)) - len(arms) // 2
    edge = 2 * one.mirrors.horizontal.numerical_aperture * 5.5 * prepared.voxels.layout.far.pixel / wavelength(14e3)
    assert arms[np.abs(away) > 5].sum() == pytest.approx(1 / (np.pi**2 * edge), rel=0.02)


@pytest.mark.parametrize("stop", [0.0, 0.5])
def test_a_dot_under_a_zone_plate_shows_airy_rings_of_its_annulus(stop):
    one = Fluorescence(
        energy="14 keV", field=("700 nm", "60 nm"), step="10 nm", zone_plate={**PLATE, "central_stop": stop}
    )
    row, x = gold(one, dot())[3], one.frames()["x"].reshape(6, -1)[3]
    v = np.pi * np.abs(x) / 50e-9 + 1e-9
    want = ((2 * j1(v) / v - stop**2 * 2 * j1(stop * v) / (stop * v + 1e-12)) / (1 - stop**2)) ** 2
    assert row / row.max() == pytest.approx(want, abs=3e-3)
    ring = row[(x > 55e-9) & (x < 120e-9)].max() / row.max()
    assert ring == pytest.approx(0.0963 if stop else 0.0175, abs=3e-3)


def test_the_peak_of_a_dot_is_its_mass_over_the_area_of_the_spot():
    one = Fluorescence(energy="14 keV", field=("100 nm", "100 nm"), step="50 nm", zone_plate=PLATE)
    film = Specimen.from_table({"extent": ["1 um", "1 um"], "layers": [{"material": "gold", "thickness": "1 nm"}]})
    area = one.prepare(dot()).measured()["probe_area [m^2]"]
    # Airy: peak = pi (NA/lambda)^2
    assert area == pytest.approx(4 * 50e-9**2 / np.pi, rel=0.02)
    volume = 4 / 3 * np.pi * 4e-9**3
    assert gold(one, dot()).max() / gold(one, film).max() == pytest.approx(volume / 1e-9 / area, rel=0.02)


def test_orders_that_pass_the_aperture_light_what_lies_far_from_the_focus():
    """Without a central stop the whole zeroth order within the hole arrives: a disk as wide as the hole's shadow."""
    aperture = {"diameter": "60 um", "distance": "10 mm"}
    one = Fluorescence(
        energy="10 keV", field=("200 nm", "200 nm"), step="100 nm", zone_plate=PLATE, order_sorting=aperture
    )
    with pytest.warns(ValidityWarning, match="passes"):
        prepared = one.prepare(FILM)
    halos = one.order_sorting.halos(one.zone_plate, 10e3)
    share = sum(h.share for h in halos)
    assert share > 0.3
    found = prepared.expose(one.frames())
    bare = one.model_copy(update={"order_sorting": None}).prepare(FILM).expose(one.frames())
    assert found.incident == pytest.approx((1 + share) * bare.incident)
    assert found.expected.sum() == pytest.approx((1 + share) * bare.expected.sum(), rel=1e-6)


def test_a_dot_far_from_the_focus_is_lit_evenly_by_the_unfocused_orders():
    aperture = {"diameter": "60 um", "distance": "10 mm"}
    settings = {"energy": "14 keV", "field": ("200 nm", "200 nm"), "step": "100 nm", "zone_plate": PLATE}
    one, bare = Fluorescence(**settings, order_sorting=aperture), Fluorescence(**settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XsimWarning)
        halos = one.order_sorting.halos(one.zone_plate, 14e3)
    zeroth = next(h for h in halos if h.order == 0)
    assert zeroth.outer == pytest.approx(30e-6, rel=0.05)
    at = 15e-6
    even = sum(h.share / (np.pi * (h.outer**2 - h.inner**2)) for h in halos if h.inner < at < h.outer)
    seen = gold(one, dot(x=at, radius="200 nm")) - gold(bare, dot(x=at, radius="200 nm"))
    film = Specimen.from_table({"extent": ["1 um", "1 um"], "layers": [{"material": "gold", "thickness": "100 nm"}]})
    volume = 4 / 3 * np.pi * 200e-9**3
    # self-absorption of 9.7 keV in so little gold is 2 %
    assert seen == pytest.approx(np.full((2, 2), even * volume / 100e-9 * gold(bare, film).mean()), rel=0.04)


def test_a_deep_specimen_is_met_by_the_spot_of_each_depth():
    """Dots above each other, one out of focus: each map is that of a dot alone with the instrument defocused."""
    settings = {"energy": "14 keV", "field": ("600 nm", "600 nm"), "step": "40 nm", "zone_plate": PLATE}
    one = Fluorescence(**settings)
    depth = one.focus.depth(14e3)
    assert depth == pytest.approx(2 * 50e-9**2 / wavelength(14e3))
    two = {"kind": "at", "positions": [["5 um", "0 nm", "0 nm"], ["0 nm", "0 nm", f"{3 * depth} m"]]}
    part = {"name": "dots", "material": "gold", "shape": {"kind": "sphere", "radius": "20 nm"}, "placement": two}
    found = gold(one, Specimen.from_table({"extent": ["1 um", "1 um"], "population": [part]}))
    alone = Fluorescence(**settings, defocus=f"{3 * depth} m")
    want = gold(alone, dot(radius="20 nm"))
    assert found == pytest.approx(want, abs=0.02 * want.max())
    focused = gold(one, dot(radius="20 nm"))
    assert want.max() < 0.5 * focused.max()


def test_a_held_zone_plate_blurs_and_mirrors_do_not():
    shape = {"energy": "14 keV", "field": ("400 nm", "400 nm"), "step": "100 nm"}
    held = Fluorescence(**shape, zone_plate=PLATE, focus_energy="14 keV")
    energies = np.full(16, 16e3)
    prepared = held.prepare(dot())
    with pytest.warns(ValidityWarning, match="out of focus"):
        prepared.check_energy(16e3)
    sharp = gold(held.model_copy(update={"focus_energy": None}), dot(), energy=energies)
    blurred = gold(held, dot(), energy=energies)
    # the cone over the aperture's area on the plane: D |1 - f0/f|
    width = 160e-6 * (1 - 14 / 16)
    assert blurred.max() / sharp.max() == pytest.approx(4 * 50e-9**2 / np.pi / (np.pi * width**2 / 4), rel=0.1)
    mirrors = Fluorescence(**shape, mirrors={**SHARP, "horizontal": {"source_size": "0 um", "angle": "2.9 mrad"}})
    at14, at16 = (gold(mirrors, dot(), energy=np.full(16, e)).max() for e in (14e3, 16e3))
    assert at16 / at14 > 0.8 * mirrors.mirrors.reflectivity(16e3) / mirrors.mirrors.reflectivity(14e3)


def test_what_belongs_to_a_zone_plate_is_refused_of_mirrors():
    with pytest.raises(ValidationError, match="belongs to a zone plate"):
        Fluorescence(focus_energy="10 keV")
    assert KirkpatrickBaez(horizontal=Mirror()).reflectivity(1e4) > 0.5
