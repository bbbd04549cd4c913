"""Images of line gratings against Hopkins' cross-coefficients, worked out here over an even lattice of the source."""

from __future__ import annotations

import numpy as np
import pytest
from full_field_images import boxes, exposed, microscope

from xsim.constants import wavelength, wavenumber
from xsim.matter.library import find


def hopkins_row(x, period, transmission, optics):
    """Intensity at x [m] on a grating whose lines, half a period wide, one at x = 0, pass `transmission`.

    optics: na, lam, sigma, inner, stop, defocus, pixel, ring (inner, outer, factor).
    """
    lam, na, sigma = optics["lam"], optics["na"], optics["sigma"]
    s = sigma * ((np.arange(401) + 0.5) / 401 * 2 - 1)
    sx, sy = (v.ravel() for v in np.meshgrid(s, s))
    lit = (np.hypot(sx, sy) <= sigma) & (np.hypot(sx, sy) >= optics["inner"])
    sx, sy = sx[lit], sy[lit]
    most = int(np.ceil((1 + sigma) * na * period / lam))
    image = np.zeros(len(x))
    waves = {}
    for m in range(-most, most + 1):
        r2 = (sx + m * lam / period / na) ** 2 + sy**2
        pupil = (r2 <= 1) & (r2 >= optics["stop"] ** 2)
        wave = pupil * np.exp(-1j * np.pi * na**2 * optics["defocus"] / lam * r2)
        if "ring" in optics:
            low, high, factor = optics["ring"]
            wave = wave * np.where((r2 >= low**2) & (r2 <= high**2), factor, 1)
        waves[m] = ((m == 0) + (transmission - 1) * np.sinc(m / 2) / 2) * wave
    for m, a in waves.items():
        for n, b in waves.items():
            beat = (m - n) / period
            image += (np.mean(a * b.conj()) * np.exp(2j * np.pi * beat * x)).real * np.sinc(beat * optics["pixel"])
    return image


@pytest.mark.parametrize(
    ("material", "height", "period", "energy", "lens", "cone", "more"),
    [
        ("nickel", 60, 45, 520, (20, 0.4), (1.2, 0.0), {}),
        ("silica", 200, 100, 700, (40, 0.2), (0.45, 0.3), {"defocus": "2 um"}),
        ("silica", 150, 260, 8000, (60, 0.0), (0.6, 0.55), {"phase_ring": {"advance": "90 deg", "transmission": 0.5}}),
        ("silica", 150, 260, 8000, (60, 0.0), (0.6, 0.55), {"phase_ring": {"advance": "270 deg"}}),
    ],
)
def test_gratings_in_hollow_cones_stops_rings_and_defocus_are_those_of_hopkins_theory(
    material, height, period, energy, lens, cone, more
):
    pixel = period / 10
    instrument = microscope(
        energy=f"{energy} eV", pixel=f"{pixel!r} nm", field=f"{7 * period!r} nm", model="projection",
        objective={"outermost_zone": f"{lens[0]} nm", "diameter": "30 um", "central_stop": lens[1]},
        condenser={"sigma": cone[0], "inner": cone[1], "points": 1000}, **more,
    )  # fmt: skip
    places = [[f"{period * i!r} nm", "0 nm", "0 nm"] for i in range(-12, 13)]
    bars = boxes(material, [f"{period / 2!r} nm", "9 um", f"{height} nm"], places)
    lam = float(wavelength(energy))
    optics = {
        "lam": lam, "na": lam / (2e-9 * lens[0]), "stop": lens[1], "sigma": cone[0], "inner": cone[1],
        "defocus": instrument.defocus, "pixel": pixel * 1e-9,
    }  # fmt: skip
    if "phase_ring" in more:
        optics["ring"] = (cone[1], cone[0], instrument.phase_ring.factor(energy))
    n = find(material).optics(energy)
    through = np.exp(-1j * wavenumber(energy) * n.decrement * height * 1e-9)
    x = instrument.image_grid().x
    near = np.abs(x) <= 1.6e-9 * period
    expected = hopkins_row(x[near], period * 1e-9, through, optics)
    found = exposed(instrument.prepare(bars))[len(x) // 2, near]
    assert found == pytest.approx(expected, abs=3e-3)
