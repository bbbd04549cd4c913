"""Depth in a full-field image: spheres through a high aperture against Mie theory."""

from __future__ import annotations

import math

import miepython
import numpy as np
import pytest
from full_field_images import image, microscope
from scipy.special import j0

from xsim.constants import wavenumber
from xsim.matter.library import find
from xsim.specimen.specimen import Specimen

COHERENT = {"sigma": 0, "points": 1}


def mie_image(material: str, energy: float, radius: float, aperture: float, x: np.ndarray) -> np.ndarray:
    """|1 + int f(q) i/kz J0(q x) q dq|^2 over the aperture: in focus at the sphere's centre, in coherent light."""
    k, optics = wavenumber(energy), find(material).optics(energy)
    angle = np.linspace(0, math.asin(aperture), 1000)
    s1, s2 = miepython.S1_S2(complex(1 - optics.delta, -optics.beta), k * radius, np.cos(angle), norm="wiscombe")
    f = 1j / k * np.conj((s1 + s2) / 2)
    q = k * np.sin(angle)
    weight = 1j * f / (k * np.cos(angle)) * q
    spread = np.array([np.trapezoid(weight * j0(q * r), q) for r in x])
    return np.abs(1 + spread) ** 2


@pytest.mark.parametrize(
    ("material", "energy", "diameter", "zone"), [("gold", 500.0, 50e-9, 12), ("polystyrene", 520.0, 500e-9, 15)]
)
def test_the_image_of_a_sphere_through_a_high_aperture_is_that_of_mie_theory(material, energy, diameter, zone):
    table = {"name": "ball", "material": material, "shape": {"kind": "sphere", "radius": f"{diameter / 2!r} m"}}
    ball = Specimen.from_table({"extent": ["1 um", "1 um"], "population": [table]})
    instrument = microscope(
        energy=f"{energy!r} eV", field="1 um", pixel="5 nm", condenser=COHERENT, wave_pixel="2.5 nm",
        model="multislice", objective={"outermost_zone": f"{zone} nm", "diameter": "30 um", "material": "opaque"},
    )  # fmt: skip
    row = image(instrument, ball)[100, 100:160]
    theory = mie_image(
        material, energy, diameter / 2, instrument.objective.numerical_aperture(energy), np.arange(60) * 5e-9
    )
    print(np.round(row, 4))
    print(np.round(theory, 4))
    assert row == pytest.approx(theory, abs=0.02 * np.ptp(theory))
