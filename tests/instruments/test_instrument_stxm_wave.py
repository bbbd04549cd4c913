"""The scanning microscope's wave picture: reciprocity with full field, deflection by wedges, and its limits."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from xsim.constants import wavelength, wavenumber
from xsim.errors import SamplingError, ValidityWarning
from xsim.instruments._segments import Segments
from xsim.instruments.stxm import Stxm
from xsim.interaction.transmission import transmission
from xsim.matter.library import find
from xsim.optics.condenser import Condenser
from xsim.optics.imaging import abbe_image
from xsim.specimen.specimen import Specimen
from xsim.waves.grid import Grid

ENERGY = 700.0


def microscope(**changes: Any) -> Stxm:
    table: dict[str, Any] = {
        "energy": "700 eV", "field": ["240 nm", "160 nm"], "step": "8 nm",
        "zone_plate": {"outermost_zone": "25 nm", "diameter": "150 um"},
    }  # fmt: skip
    return Stxm.model_validate({**table, **changes})


def boxes(material: str, *parts: tuple[list[float], list[float]]) -> Specimen:
    """Boxes of (sides, place) [nm]."""
    table = [
        {"name": f"box{number}", "material": material, "shape": {"kind": "box", "sides": [f"{s!r} nm" for s in sides]},
         "placement": {"kind": "at", "positions": [[f"{p!r} nm" for p in place]]}}
        for number, (sides, place) in enumerate(parts)
    ]  # fmt: skip
    return Specimen.from_table({"extent": ["9 um", "9 um"], "population": table})


@cache
def lopsided() -> Specimen:
    return boxes("gold", ([80.0, 48.0, 50.0], [32.0, -16.0, 0.0]), ([24.0, 24.0, 80.0], [-40.0, 32.0, 0.0]))


def scanned(instrument: Any, specimen: Specimen) -> np.ndarray[Any, Any]:
    """Share of the photons in each segment, folded into the scan axes."""
    frames = instrument.frames()
    exposure = instrument.prepare(specimen).expose(frames)
    share = exposure.expected[:, 0] / exposure.incident.reshape(-1, *(1,) * (exposure.expected.ndim - 2))
    return np.asarray(share.reshape(*frames.shape, *share.shape[1:]))


def full_field_image(instrument: Stxm, specimen: Specimen, sigma: float, points: int) -> np.ndarray[Any, Any]:
    """The image with condenser and detector exchanged: light from the detector's places, through the same lens."""
    # the object seen through the lens the other way round; a grid that holds the scan, pixels of half a nanometre
    grid = Grid((1200, 1200), 0.8e-9)
    wave = transmission(specimen.thickness(grid), ENERGY, np.complex128)
    directions, weights = Condenser(sigma=sigma, points=points).directions()
    image = abbe_image(wave, grid, ENERGY, instrument.zone_plate, directions, weights, instrument.defocus)
    y, x = (np.rint(axis.values / grid.pixel).astype(int) + 600 for axis in instrument.frames().axes)
    return np.asarray(image[np.ix_(y, x)])


@pytest.mark.parametrize(("ring", "points", "defocus"), [(0.02, 1, "0 um"), (0.5, 120, "0 um"), (0.5, 120, "0.6 um")])
def test_a_small_detector_sees_what_a_full_field_microscope_sees_with_its_condenser_there(
    ring: float, points: int, defocus: str
) -> None:
    """Reciprocity: the detector's disk is the condenser's. A point detector gives the coherent image."""
    instrument = microscope(segments={"rings": [0.0, ring], "sectors": 1}, defocus=defocus)
    found = scanned(instrument, lopsided())[..., 0]
    empty = scanned(instrument.model_copy(update={"field": (8e-9, 8e-9)}), Specimen())[0, 0, 0]
    want = full_field_image(instrument, lopsided(), ring if points > 1 else 0.0, points)
    assert found / empty == pytest.approx(want, abs=0.025)
    assert np.sqrt(np.mean((found / empty - want) ** 2)) < 0.008
    # and it is not what a detector of the whole cone sees
    assert np.abs(scanned(microscope(defocus=defocus), lopsided()) - want).max() > 0.1


def test_all_segments_together_are_the_incoherent_image() -> None:
    sparse: dict[str, Any] = {"step": "16 nm", "field": ["160 nm", "96 nm"]}
    instrument = microscope(segments={"rings": [0.0, 1.0, 4.0], "sectors": 3}, **sparse)
    weak = boxes("silicon", ([80.0, 48.0, 50.0], [32.0, -16.0, 0.0]), ([24.0, 24.0, 80.0], [-40.0, 32.0, 0.0]))
    assert scanned(instrument, weak).sum(axis=-1) == pytest.approx(scanned(microscope(**sparse), weak), abs=0.003)
    # walls of gold scatter some percent beyond 4 NA: less the wider the detector, and never more than there is
    want = scanned(microscope(**sparse), lopsided())
    lost = [want - scanned(microscope(segments={"rings": [0.0, r]}, **sparse), lopsided()).sum(axis=-1) for r in (2, 4)]
    assert lost[0].max() > 1.5 * lost[1].max()
    assert lost[1].max() < 0.02
    assert lost[1].min() > -1e-4


def test_without_a_specimen_the_cone_fills_its_segments_evenly_and_none_beyond() -> None:
    plate = {"outermost_zone": "25 nm", "diameter": "150 um", "central_stop": 0.4}
    rings = [0.0, 0.3, 0.7, 0.95, 1.05, 2.0]
    instrument = microscope(segments={"rings": rings, "sectors": 4}, zone_plate=plate, field=["16 nm", "8 nm"])
    found = scanned(instrument, Specimen())[0, 0].reshape(5, 4)
    assert found.sum() == pytest.approx(1, abs=1e-5)
    assert np.ptp(found, axis=1).max() < 1e-6
    area = np.diff(np.clip(np.array(rings) ** 2, 0.4**2, 1)) / (1 - 0.4**2)
    assert found.sum(axis=1) == pytest.approx(area, abs=0.004)  # rims are a frequency cell wide
    assert found[4].sum() < 1e-6
    assert found[0].sum() < 1e-6


@pytest.mark.parametrize("angle", [0.0, 1.1])
def test_a_wedge_deflects_the_cone_by_its_gradient_of_phase(angle: float) -> None:
    """The first moment over fine segments moves by -grad(k delta t)/k; a prism of n < 1 bends towards its thin side."""
    instrument = microscope(segments={"rings": list(np.linspace(0, 2.4, 25)), "sectors": 48}, field=["8 nm", "8 nm"])
    light, gradient = instrument.prepare(Specimen()), 0.03 * float(np.pi / 25e-9)  # 3 % of the cone's half angle
    line = light._at(ENERGY)[0]
    grid = light.object_grid
    ramp = np.exp(-1j * gradient * (np.cos(angle) * grid.x[None, :] + np.sin(angle) * grid.y[:, None]))
    line.transmissions[0][...] = ramp
    shares = light._seen(line, 0.0, 0.0)
    place = segment_centres(instrument)
    moment = shares @ place / shares.sum() * float(wavenumber(ENERGY))
    assert moment == pytest.approx(-gradient * np.array([np.cos(angle), np.sin(angle)]), abs=0.003 * np.pi / 25e-9)


def segment_centres(instrument: Stxm) -> np.ndarray[Any, Any]:
    """Centres of mass (segments, 2) [rad] of all segments."""
    g = instrument.geometry()
    a, b, start, stop = (g[f"segment_{name} [rad]"] for name in ("inner", "outer", "start", "stop"))
    radius = 2 / 3 * (b**3 - a**3) / (b**2 - a**2) * np.sinc((stop - start) / 2 / np.pi)
    middle = (start + stop) / 2
    return np.stack([radius * np.cos(middle), radius * np.sin(middle)], axis=1)


def test_a_thin_phase_wedge_of_matter_bends_light_to_its_thin_side() -> None:
    """A stair of carbon rising towards +x: light goes to -x, by k delta' of its slope."""
    step, height = 12.0, 6.0
    stairs = [([step, 4000.0, height * (i + 1)], [(i - 30) * step, 0.0, 0.0]) for i in range(60)]
    instrument = microscope(segments={"rings": [0.0, 2.0], "sectors": 4}, field=["8 nm", "8 nm"], model="projection")
    prepared = instrument.prepare(boxes("carbon", *stairs))
    exposure = prepared.expose(instrument.frames())
    right, up, left, down = exposure.expected[0, 0]
    assert left > right
    assert up == pytest.approx(down, rel=1e-3)
    optics = find("carbon").optics(ENERGY)
    slope = float(wavenumber(ENERGY) * optics.delta) * height / step  # [rad/m]
    # a disk of radius Q that moves by s takes (Q s sqrt(2)) / (pi Q^2) of its light from one sector to the opposite
    moved = 2 * np.sqrt(2) / np.pi * slope / (np.pi / 25e-9)
    # absorption weighs the thin side of the spot more, which bends nothing
    assert (left - right) / (left + right + up + down) == pytest.approx(moved, rel=0.05)


def test_dark_field_sees_edges_and_dots_on_nothing() -> None:
    instrument = microscope(segments={"rings": [1.1, 2.0], "sectors": 1})
    image = scanned(instrument, lopsided())[..., 0]
    y, x = (axis.values for axis in instrument.frames().axes)
    far = (np.abs(x[None, :] + 100e-9) < 20e-9) & (np.abs(y[:, None] + 50e-9) < 25e-9)
    assert image[far].max() < 0.15 * image.max()
    assert image.max() > 0.005


def test_the_source_blurs_every_segment_as_it_blurs_a_picture() -> None:
    settings: dict[str, Any] = {"segments": {"rings": [0.0, 0.4, 1.5], "sectors": 2}, "field": ["192 nm", "32 nm"]}
    dot = boxes("gold", ([24.0, 16.0, 50.0], [8.0, 0.0, 0.0]))
    sharp = scanned(microscope(**settings), dot)
    blurred = scanned(microscope(source_image=["40 nm", "0 nm"], **settings), dot)
    sigma = 40 / 8 / np.sqrt(8 * np.log(2))
    want = np.stack([gaussian_filter(sharp[..., s], (0, sigma), mode="nearest") for s in range(4)], axis=-1)
    assert blurred[:, 6:-6] == pytest.approx(want[:, 6:-6], abs=3e-3)
    assert np.abs(sharp - want).max() > 0.01


def test_fly_jitter_and_spectrum_average_the_far_field_too() -> None:
    dot = boxes("gold", ([24.0, 16.0, 50.0], [8.0, 0.0, 0.0]))
    settings: dict[str, Any] = {"segments": {"rings": [0.0, 1.5], "sectors": 2}, "field": ["96 nm", "32 nm"]}
    instrument = microscope(**settings)
    prepared, frames = instrument.prepare(dot), instrument.frames()
    ahead, behind = (prepared.expose(frames.with_columns(x=frames["x"] + s)).expected for s in (2e-9, -2e-9))
    flown = microscope(**settings, motion={"fly": 2})
    assert flown.prepare(dot).expose(frames).expected == pytest.approx((ahead + behind) / 2, rel=1e-4)
    shaky = microscope(**settings, motion={"jitter": "4 nm"}).prepare(dot)
    true = shaky.truth()["positions"].values
    moved = frames.with_columns(x=true[:, 0], y=true[:, 1])
    assert shaky.expose(frames).expected == pytest.approx(prepared.expose(moved).expected, rel=1e-3)
    assert np.abs(ahead - behind).max() > 0.01 * ahead.max()
    many = {"relative_width": 0.0005, "shape": "rectangular", "samples": 2}
    found = scanned(microscope(**settings, bandwidth=many), dot)
    lines = [700 * (1 + s * 0.0005 / np.sqrt(12)) for s in (-1, 1)]
    each = [scanned(microscope(**settings, energy=f"{float(e)!r} eV", focus_energy="700 eV"), dot) for e in lines]
    assert found == pytest.approx(np.mean(each, axis=0), abs=2e-5)


def test_a_thick_specimen_takes_several_slabs_and_a_dot_in_it_is_as_blurred_as_it_lies() -> None:
    near, far = [0.0, 0.0, -3000.0], [64.0, 0.0, 3000.0]
    both = boxes("gold", ([32.0, 32.0, 10.0], near), ([32.0, 32.0, 10.0], far))
    instrument = microscope(field=["160 nm", "32 nm"], step="16 nm", defocus="3 um")
    prepared = instrument.prepare(both)
    assert type(prepared).__name__ == "StxmWavePrepared"
    assert len(prepared.slices.middles) > 5
    missing = 1 - scanned(instrument, both)
    near[2], far[2] = (float(1e9 * prepared.slices.middles[k]) for k in (0, -1))
    alone = [1 - scanned(instrument, boxes("gold", ([32.0, 32.0, 10.0], place))) for place in (near, far)]
    # a slab acts at its middle; both absorb little: what one takes and the other adds up, within their product
    assert missing == pytest.approx(alone[0] + alone[1], abs=0.001)
    assert alone[0].max() > 2 * alone[1].max()  # the first is in focus
    with pytest.warns(ValidityWarning, match="projection of a specimen"):
        microscope(model="projection").prepare(both)


def test_one_point_alone_has_the_bits_that_it_has_among_others() -> None:
    instrument = microscope(segments={"rings": [0.0, 1.2], "sectors": 4}, motion={"jitter": "3 nm"})
    prepared, frames = instrument.prepare(lopsided()), instrument.frames()
    rows = np.array([3, 77, 210])
    whole = prepared.expose(frames.take(rows)).expected
    for number, row in enumerate(rows):
        assert np.array_equal(prepared.expose(frames.take(np.array([row]))).expected[0], whole[number])


def test_masks_share_every_sample_once() -> None:
    grid = Grid((64, 60), 8e-9)
    masks = Segments.model_validate({"rings": [0.0, 0.5, 1.3], "sectors": 5}).masks(grid, np.pi / 25e-9)
    whole = np.zeros(64 * 60)
    for s, t in itertools.pairwise(masks.start):
        np.add.at(whole, masks.sample[s:t], masks.weight[s:t])
    qy, qx = grid.frequencies()
    q = np.hypot(qy, qx).ravel() / (np.pi / 25e-9)
    cell = np.hypot(*(2 * np.pi / (n * 8e-9) for n in grid.shape)) / (np.pi / 25e-9)
    assert whole[q < 1.3 - cell] == pytest.approx(1)
    assert np.all(whole[q > 1.3 + cell] == 0)
    assert whole.sum() * np.prod([2 * np.pi / (n * 8e-9) for n in grid.shape]) == pytest.approx(
        np.pi * (1.3 * np.pi / 25e-9) ** 2, rel=2e-3
    )


def test_wrong_rings_and_energies_beyond_the_grid_are_refused() -> None:
    for rings in ([0.5, 0.2], [0.0], [0.0, 30.0], [-0.1, 1.0]):
        with pytest.raises(ValueError, match=r"rings|at least 2"):
            Segments.model_validate({"rings": rings})
    prepared = microscope(mirrors={}, energy="8 keV", segments={}, field=["2 um", "2 um"], step="100 nm").prepare(
        Specimen()
    )
    with pytest.raises(SamplingError, match="highest of the scan"):
        prepared.check_energy(20e3)
    assert float(wavelength(8e3)) > 0
