"""Near edges by formula: their Kramers-Kronig partners in closed form, several on one element, and wrong ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import dawsn

from xsim.errors import FileError, RangeError, UnknownNameError
from xsim.matter import library
from xsim.matter.analytic_edge import AnalyticEdge, Peak
from xsim.matter.describe import describe
from xsim.matter.elements import element
from xsim.matter.material import Material
from xsim.matter.mixture import mixture
from xsim.matter.near_edge import NearEdge, correction

NATURAL = element("Fe").edge("K")[1]


def _with(peak):
    """What `peak` alone changes in f1 and f2, over the same edge without it."""
    bare, full = (correction(AnalyticEdge("Fe", "K", 7112.0, 2.0, peaks)) for peaks in ((), (peak,)))
    energy = peak.position + np.linspace(-40, 40, 321)
    return energy, *(np.subtract(a, b) for a, b in zip(full(energy), bare(energy), strict=True))


def test_a_lorentzian_peak_has_its_closed_form_in_f1():
    """f2 = h / (1 + x^2) gives f1 = h x / (1 + x^2) near the peak, x = 2 (E - E0) / w; its cut wings are far away."""
    peak = Peak(7140.0, 3.0, 0.8, "lorentzian")
    energy, more1, more2 = _with(peak)
    x, top = 2 * (energy - 7140.0) / 3.0, more2.max()
    np.testing.assert_allclose(more2, top / (1 + x * x), atol=3e-3 * top)
    np.testing.assert_allclose(more1, top * x / (1 + x * x), atol=0.012 * top)


def test_a_gaussian_peak_has_dawsons_function_in_f1():
    """f2 = h exp(-u^2) gives f1 = 2 h D(u) / sqrt(pi), u = sqrt(4 ln 2) (E - E0) / w."""
    energy, more1, more2 = _with(Peak(7125.0, 4.0, 0.5))
    u, top = np.sqrt(4 * np.log(2)) * (energy - 7125.0) / 4.0, more2.max()
    np.testing.assert_allclose(more2, top * np.exp(-u * u), atol=3e-3 * top)
    np.testing.assert_allclose(more1, top * 2 / np.sqrt(np.pi) * dawsn(u), atol=3e-3 * top)


def test_an_arctangent_step_has_a_logarithm_in_f1():
    """f2 = J (1/2 + arctan(x)/pi) gives f1 = (J/2 pi) ln(1 + x^2) + smooth, x = 2 (E - E0) / w."""
    energy = 7112.0 + np.linspace(-15, 15, 301)
    near = AnalyticEdge("Fe", "K", width=3.0)
    f1, f2 = np.add(element("Fe").factors(energy), correction(near)(energy))
    x = 2 * (energy - 7112.0) / 3.0
    base, jump = np.linalg.lstsq(np.stack([np.ones_like(x), 0.5 + np.arctan(x) / np.pi], axis=1), f2, rcond=None)[0]
    assert jump / base == pytest.approx(3.833 / 0.486 - 1, rel=0.03)
    np.testing.assert_allclose(f1 - f1[150], jump / (2 * np.pi) * np.log1p(x * x), atol=0.02 * jump)


def test_far_from_a_formula_nothing_changes():
    near = AnalyticEdge("Fe", "K", 7120.0, 2.0, (Peak(7127.0, 5.0, 0.5),))
    change = correction(near)
    away = np.array([7000.0, near.window[0], near.window[1], 9000.0])
    np.testing.assert_array_equal(change(away)[1], 0.0)
    assert np.abs(change(np.array([2000.0, 30e3]))[0]).max() < 0.05


def test_k_and_l_edges_of_one_element_stand_side_by_side():
    k, l3 = AnalyticEdge("Fe", "K", 7125.0), AnalyticEdge("Fe", "L3", 709.0, peaks=(Peak(709.5, 2.0, 6.0),))
    iron = Material("Fe2O3", "5.2 g/cm^3")
    both, one = iron.with_near_edges(k, l3), iron.with_near_edges(l3)
    soft, hard = np.array([705.0, 709.5, 715.0]), np.array([7110.0, 7125.0, 7130.0])
    np.testing.assert_allclose(both.optics(soft).beta, one.optics(soft).beta, rtol=1e-9)
    np.testing.assert_allclose(both.optics(soft).delta, one.optics(soft).delta, rtol=1e-3, atol=3e-7)
    np.testing.assert_allclose(both.optics(hard).beta, iron.with_near_edges(k).optics(hard).beta, rtol=1e-9)
    assert both.optics(709.5).beta > 2 * iron.optics(709.5).beta


def test_mixtures_share_formulas_and_measured_spectra():
    own = Material("FeO", "6 g/cm^3").with_near_edges(AnalyticEdge("Fe", "K", 7119.0))
    parts, energy = [(own, 0.3), (library.find("hematite"), 0.7)], np.arange(7100.0, 7150.0)
    mixed = mixture("m", parts, "volume").optics(energy)
    for name in ("delta", "beta"):
        expected = sum(share * getattr(part.optics(energy), name) for part, share in parts)
        np.testing.assert_allclose(getattr(mixed, name), expected, rtol=1e-9)


TOML = """
title = "teaching"
formula = "Fe2O3"
density = "5.2 g/cm^3"
source = "made up"
[[near_edge]]
element = "Fe"
edge = "K"
position = "7121 eV"
width = "2 eV"
peak = [{ position = "7114 eV", width = "1.5 eV", height = 0.06 },
        { position = "7131 eV", width = "5 eV", height = 0.6, form = "lorentzian" }]
"""


def test_a_formula_in_a_file_is_that_of_python(tmp_path):
    (tmp_path / "mine.toml").write_text(TOML)
    peaks = (Peak(7114.0, 1.5, 0.06), Peak(7131.0, 5.0, 0.6, "lorentzian"))
    mine, energy = library.find(str(tmp_path / "mine.toml")), np.arange(7090.0, 7200.0)
    same = Material("Fe2O3", "5.2 g/cm^3").with_near_edges(AnalyticEdge("Fe", "K", 7121.0, 2.0, peaks))
    np.testing.assert_array_equal(mine.optics(energy).decrement, same.optics(energy).decrement)
    text = describe(mine, [7120.0])
    assert text["near edges"][0]["kind"] == "formula"
    assert not any("Fe K" in caution for caution in text["cautions"])


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('"7121 eV"', '"9121 eV"', "too far from the edge.*7112 eV"),
        ('edge = "K"', 'edge = "Q"', "unknown edge"),
        ("height = 0.6", "height = -3.0", "f2 negative"),
        ('element = "Fe"', 'element = "Cu"', "does not hold"),
        ('width = "2 eV"', 'width = "2 eV"\nfile = "xas/hematite.xdi"', "measured and of an analytic"),
        ('form = "lorentzian"', 'form = "square"', "lorentzian"),
        ('width = "2 eV"', 'width = "2 eV"\nshare = 1.5', "share"),
    ],
)
def test_wrong_formulas_are_refused_with_the_reason(tmp_path, old, new, says):
    (tmp_path / "mine.toml").write_text(TOML.replace(old, new))
    with pytest.raises((FileError, RangeError, UnknownNameError), match=says):
        library.find(str(tmp_path / "mine.toml")).optics(7120.0)


def test_two_spectra_of_one_atom_are_refused():
    hematite = library.find("hematite")
    with pytest.raises(RangeError, match="overlap"):
        hematite.with_near_edges(*hematite.near_edges, AnalyticEdge("Fe", "K", 7120.0))
    half = AnalyticEdge("Fe", "K", 7119.0, share=0.5), AnalyticEdge("Fe", "K", 7125.0, share=0.5)
    assert len(hematite.with_near_edges(*half).near_edges) == 2


def test_narrow_bands_take_a_short_spectrum(tmp_path):
    """A spectrum from -40 to +100 eV, too short for the usual bands, keeps its step with bands of its own."""
    energy = np.arange(7072.0, 7212.0, 0.5)
    truth = AnalyticEdge("Fe", "K", 7120.0, 3.0)
    mu = 5 * np.add(element("Fe").factors(energy), correction(truth)(energy))[1] / energy + 0.3
    head = "# XDI/1.0\n# Element.symbol: Fe\n# Element.edge: K\n# Column.1: energy eV\n# Column.2: xmu\n#---\n"
    (tmp_path / "x.xdi").write_text(head + "\n".join(f"{e} {m:.12g}" for e, m in zip(energy, mu, strict=True)))
    path = str(tmp_path / "x.xdi")
    with pytest.raises(FileError, match="narrower pre_band"):
        correction(NearEdge("Fe", "K", path))
    short = correction(NearEdge("Fe", "K", path, pre_band=(-40.0, -20.0), post_band=(50.0, 100.0), degree=0))
    inside = np.arange(7100.0, 7150.0)
    np.testing.assert_allclose(short(inside)[1], correction(truth)(inside)[1], atol=0.06)
    with pytest.raises(RangeError, match="bands of a near edge"):
        correction(NearEdge("Fe", "K", path, pre_band=(20.0, -20.0)))


def test_the_width_of_the_step_is_by_default_that_of_the_level():
    assert AnalyticEdge("Fe", "K").step == (7112.0, NATURAL)


def test_the_band_within_a_near_edge_is_that_beside_it_and_of_the_normalisation():
    hematite, atomic = library.find("hematite"), Material("Fe2O3", "5.25 g/cm^3")
    inside, outside = np.array([7112.5, 7130.0]), np.array([6500.0, 8000.0])
    assert (hematite.optics(inside).beta_band < 0.12).all()
    assert (hematite.optics(inside).beta_band > 0.035).all()
    np.testing.assert_allclose(hematite.optics(outside).beta_band, atomic.optics(outside).beta_band, rtol=1e-6)
    assert isinstance(hematite.optics(7130.0).delta_band, float)
