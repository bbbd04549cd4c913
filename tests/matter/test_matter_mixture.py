"""Mixtures: shares, density, porosity, and near edges in proportion."""

from __future__ import annotations

import numpy as np
import pytest

from xsim.errors import RangeError
from xsim.matter import library
from xsim.matter.lines import emission
from xsim.matter.mixture import mixture

ENERGIES = np.array([300.0, 520.0, 7090.0, 7125.3, 7131.0, 12e3, 90e3])


def _parts():
    return library.find("hematite"), library.find("iron"), library.find("water")


def test_constants_of_a_mixture_by_volume_are_the_sum_of_its_parts():
    parts = list(zip(_parts(), (0.2, 0.1, 0.6), strict=True))
    mixed = mixture("m", parts, "volume").optics(ENERGIES)
    for name in ("delta", "beta", "mu_photo", "mu_total"):
        expected = sum(share * getattr(material.optics(ENERGIES), name) for material, share in parts)
        np.testing.assert_allclose(getattr(mixed, name), expected, rtol=1e-10)


def test_mass_shares_give_the_attenuation_per_mass():
    parts = list(zip(_parts(), (0.5, 0.2, 0.3), strict=True))
    mixed = mixture("m", parts, "mass")
    per_mass = sum(share * material.optics(ENERGIES).mu_total / material.density for material, share in parts)
    np.testing.assert_allclose(mixed.optics(ENERGIES).mu_total / mixed.density, per_mass, rtol=1e-10)
    assert 1 / mixed.density == pytest.approx(sum(share / material.density for material, share in parts))


def test_porosity_lowers_the_density_alone():
    gold = library.find("gold")
    porous = mixture("p", [(gold, 0.4)], "volume")
    assert porous.density == pytest.approx(0.4 * gold.density)
    np.testing.assert_allclose(porous.optics(ENERGIES).delta, 0.4 * gold.optics(ENERGIES).delta, rtol=1e-12)


def test_fluorescence_of_a_mixture_is_the_sum_of_its_parts_at_the_near_edge():
    parts = list(zip(_parts(), (0.2, 0.1, 0.6), strict=True))

    def alpha(material):
        return sum(rate for line, rate in emission(material, 7121.0) if line.name == "KL3" and line.element == "Fe")

    assert alpha(mixture("m", parts, "volume")) == pytest.approx(sum(share * alpha(m) for m, share in parts), rel=1e-6)


@pytest.mark.parametrize(
    ("shares", "by"), [((0.5, 0.2, 0.2), "mass"), ((0.5, 0.5, 0.2), "volume"), ((1.2, -0.4, 0.2), "mass")]
)
def test_shares_that_do_not_fit_are_refused(shares, by):
    with pytest.raises(RangeError, match=f"shares by {by}"):
        mixture("m", list(zip(_parts(), shares, strict=True)), by)


def test_shipped_mixtures_have_sensible_densities():
    assert library.find("cytoplasm").density == pytest.approx(1075, abs=10)
    assert library.find("frozen_cytoplasm").density < library.find("cytoplasm").density
    assert library.find("osmium_stained_lipid").mass_fractions["Os"] == pytest.approx(0.1 * 190.23 / 254.23, rel=1e-3)
