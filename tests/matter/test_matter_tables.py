"""The packaged table of every element: built again and compared, and held to tables made elsewhere."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from xsim.matter import build_tables, elements, lines
from xsim.matter.build_bands import envelope
from xsim.matter.build_sources import chantler, cxro, cxro_f1
from xsim.matter.elements import SYMBOLS, element, photo_cross_section
from xsim.matter.kramers_kronig import relativistic_charge

AVOGADRO = 6.02214076e23
#: what the script makes of an element, made once
built_absorption = cache(build_tables.absorption)


def test_the_packaged_table_of_every_element_is_what_the_script_builds():
    """f2 at every node, edges and scatter; f1, the slow part, at 25 nodes of each element."""
    draw = np.random.default_rng(4)
    for z, symbol in enumerate(SYMBOLS, 1):
        packaged, f2 = element(symbol), built_absorption(z)
        np.testing.assert_array_equal(list(packaged.edges.values()), f2.edges)
        np.testing.assert_array_equal(list(packaged.widths.values()), f2.widths)
        np.testing.assert_allclose(packaged.log_f2, np.log(f2(packaged.energy)), rtol=1e-6, atol=1e-6)
        some = draw.choice(len(packaged.energy), 25, replace=False)
        f1 = build_tables.Dispersion(z, f2)(packaged.energy[some])
        np.testing.assert_allclose(packaged.f1[some], f1, rtol=1e-6, atol=1e-5)
        np.testing.assert_allclose(np.exp(packaged.log_scatter[:2]), build_tables.scatter(z), rtol=1e-5)


@pytest.mark.parametrize("symbol", ["O", "Au"])
def test_nodes_and_bands_are_what_the_script_builds(symbol):
    built, packaged = build_tables.element(SYMBOLS.index(symbol) + 1), element(symbol)
    np.testing.assert_array_equal(built["energy"], packaged.energy)
    np.testing.assert_allclose(packaged.f1, built["f1"], rtol=1e-6, atol=1e-5)
    np.testing.assert_allclose(packaged.log_band, np.log(built["band_energy"]), rtol=1e-12)
    np.testing.assert_allclose(packaged.band1, built["band1"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(packaged.band2, built["band2"], rtol=1e-5, atol=1e-6)


def test_the_version_of_the_file_is_that_of_the_script():
    assert elements.table_version() == build_tables.VERSION


def test_stored_f1_is_the_transform_between_its_nodes_too():
    """Linear interpolation against the exact transform, 40 random energies of every third element."""
    draw, off = np.random.default_rng(8), []
    for z, symbol in list(enumerate(SYMBOLS, 1))[::3]:
        energy = np.exp(draw.uniform(np.log(30), np.log(150e3), 40))
        exact = build_tables.Dispersion(z, built_absorption(z))(energy)
        off.append(np.abs(element(symbol).factors(energy)[0] - exact))
    assert np.median(off) < 1e-3
    assert np.quantile(off, 0.99) < 0.012


def _far(symbol, energy, part=0.02):
    edges = np.array(list(element(symbol).edges.values()))
    return energy[(np.abs(energy[:, None] / edges - 1) > part).all(axis=1)]


def test_cxro_and_chantler_lie_within_the_band_for_every_element_at_random_energies():
    """200 eV - 150 keV, 2 % and more from every edge: 99.9 % of all comparisons."""
    draw, inside = np.random.default_rng(11), {"f1": [], "f2": []}
    for symbol in SYMBOLS:
        energy = _far(symbol, np.exp(draw.uniform(np.log(200), np.log(150e3), 300)))
        one = element(symbol)
        (f1, f2), (band1, band2) = one.factors(energy), one.bands(energy)
        nodes, c1, c2 = chantler(symbol)
        for places, other in (cxro_f1(symbol), (nodes, c1)):
            off = np.interp(energy, places, other, left=np.nan, right=np.nan) - f1
            inside["f1"].append((np.abs(off) <= band1)[np.isfinite(off)])
        for places, other in (cxro(symbol), (nodes, c2)):
            there = (energy >= places[0]) & (energy <= places[-1])
            off = np.exp(np.interp(np.log(energy[there]), np.log(places), np.log(other))) / f2[there] - 1
            inside["f2"].append(np.abs(off) <= band2[there])
    for name, parts in inside.items():
        assert np.concatenate(parts).mean() > 0.999, name


def test_a_band_holds_the_largest_deviation_of_the_cells_around_and_no_more():
    ends, points = np.linspace(0, 10, 11), np.array([0.5, 2.2, 2.7, 7.1])
    band = envelope(ends, points, np.array([1.0, 3.0, 2.0, 0.5]))
    np.testing.assert_allclose(band[[0, 1, 2, 3]], [1.0, 2.0, 3.0, 3.0])
    assert band[-1] == 0.5
    assert (np.interp(points, ends, band) >= [1.0, 3.0, 2.0, 0.5]).all()


@pytest.mark.parametrize(
    ("symbols", "low", "high", "f1", "f2"),
    [
        (("C", "N", "O", "Al", "Si"), 2.5e3, 25e3, 0.01, 0.08),  # light elements are known best
        (("C", "N", "O"), 1e3, 2.5e3, 0.01, 0.09),
        (("Fe", "Cu", "Zn"), 1e3, 30e3, 0.01, 0.06),
        (("Au",), 8e3, 10e3, 0.01, 0.07),
        (("Au", "Pt"), 300.0, 1100.0, 0.2, 0.3),
        (("W", "Au", "U"), 30.0, 200.0, 1.0, 1.0),
    ],
)
def test_typical_bands_are_as_narrow_as_the_tables_allow(symbols, low, high, f1, f2):
    energy = np.geomspace(low, high, 200)
    for symbol in symbols:
        band1, band2 = element(symbol).bands(energy)
        assert np.median(band1 / np.abs(element(symbol).factors(energy)[0])) < f1
        assert np.median(band2) < f2


def _mass_attenuation(symbol, energy):
    """Total, with scatter [cm^2/g]."""
    one = element(symbol)
    photo = photo_cross_section(one.factors(energy)[1], energy)
    return (photo + one.scattered(np.log(energy))) * AVOGADRO / one.weight * 1e4


#: where Elam's fit (xraylib's `CS_Photo`) is off two other tables that agree, clear of edges, above 5 keV
OUTVOTED = {
    "Ti": (5.1e3, 5.8e3), "Cr": (6e3, 9.5e3), "Sn": (29e3, 37e3), "Tm": (59e3, 78e3), "Pt": (78e3, 95e3),
    "Rn": (98e3, 140e3),
}  # fmt: skip


def test_total_attenuation_agrees_with_elam_for_every_element_where_others_do():
    xraydb = pytest.importorskip("xraydb")
    draw = np.random.default_rng(3)
    for symbol in SYMBOLS:
        energy = _far(symbol, np.exp(draw.uniform(np.log(5e3), np.log(150e3), 60)))
        low, high = OUTVOTED.get(symbol, (0.0, 0.0))
        energy = energy[(energy < low) | (energy > high)]
        known = xraydb.mu_elam(symbol, energy, kind="total")
        np.testing.assert_allclose(_mass_attenuation(symbol, energy), known, rtol=0.025, err_msg=symbol)


def test_above_5_keV_photoabsorption_is_the_median_of_three_tables():
    xraylib = pytest.importorskip("xraylib")
    draw = np.random.default_rng(3)
    for z, symbol in enumerate(SYMBOLS, 1):
        one = element(symbol)
        energy = _far(symbol, np.exp(draw.uniform(np.log(5.1e3), np.log(150e3), 60)))
        ours = photo_cross_section(one.factors(energy)[1], energy) * AVOGADRO / one.weight * 1e4
        own = np.array([xraylib.CS_Photo(z, e / 1e3) for e in energy])
        nodes, _, f2 = chantler(symbol)
        other = np.exp(np.interp(np.log(energy), np.log(nodes), np.log(f2)))
        other = photo_cross_section(other, energy) * AVOGADRO / one.weight * 1e4
        reach = 20 * one.edges["K"]  # Kissel's totals fail above
        good = energy < reach
        kissel = np.array([xraylib.CSb_Photo_Total(z, e / 1e3) for e in energy[good]]) * AVOGADRO / one.weight * 1e-24
        known = np.median([own[good], kissel, other[good]], axis=0)
        np.testing.assert_allclose(ours[good], known, rtol=3e-3, err_msg=symbol)
        good = energy > 1.6 * reach
        np.testing.assert_allclose(ours[good], own[good], rtol=2e-3, err_msg=symbol)


@pytest.mark.parametrize(("symbol", "low", "high"), [("Cr", 6.2e3, 9e3), ("Ti", 5.15e3, 5.7e3), ("Tm", 61e3, 75e3)])
def test_bumps_of_one_table_are_not_followed(symbol, low, high):
    """Chromium was 11-13 % high at 6.2-7.6 keV, against all others: iron's lines in steel were lost to it."""
    energy = np.geomspace(low, high, 60)
    nodes, _, f2 = chantler(symbol)
    known = np.exp(np.interp(np.log(energy), np.log(nodes), np.log(f2)))
    np.testing.assert_allclose(element(symbol).factors(energy)[1], known, rtol=0.021)


def test_measured_white_lines_of_a_source_are_not_taken_for_jumps():
    """Chromium below its L edges: f1 of CXRO itself, once 7 % off as parts of its white lines were moved."""
    energy = np.array([416.0, 468.0, 520.0, 540.0])
    np.testing.assert_allclose(element("Cr").factors(energy)[0], np.interp(energy, *cxro_f1("Cr")), rtol=0.01)


def test_f1_of_every_element_is_the_transform_of_its_stored_f2():
    """An independent quadrature of what is stored, its pole subtracted; only the tails outside are the builder's."""
    low, high = np.geomspace(10, 29.5, 300), np.geomspace(151e3, 1e9, 3000)
    worst = {}
    for z, symbol in enumerate(SYMBOLS, 1):
        one, tails = element(symbol), built_absorption(z)
        middle = np.geomspace(30.0, 150e3, 8_000)
        grid = np.unique(np.concatenate((low, one.energy, middle, high)))
        f2 = one.factors(np.clip(grid, 29.5, 151e3))[1]
        outside = (grid < 29.5) | (grid > 151e3)
        f2[outside] = tails(grid[outside])
        for energy in _far(symbol, np.array([333.0, 1777.0, 4321.0, 9150.0, 30e3]), 0.01):
            at = float(one.factors(np.array([energy]))[1][0])
            e, step = (grid[1:] + grid[:-1]) / 2, np.diff(grid)
            mean = (f2[1:] + f2[:-1]) / 2
            regular = np.sum((e * mean - energy * at) / (energy**2 - e**2) * step)
            first, last = grid[0], grid[-1]
            tail = at / 2 * np.log((last + energy) * (energy - first) / ((last - energy) * (energy + first)))
            f1 = relativistic_charge(z) + 2 / np.pi * (regular + tail)
            worst[symbol, energy] = abs(float(one.factors(np.array([energy]))[0][0]) - f1)
    assert max(worst.values()) < 0.03, max(worst, key=worst.get)


def test_the_band_holds_near_edges_too():
    """Within 2 % of edges, 250 eV - 150 keV: f2 of CXRO and Chantler, f1 of Chantler: 99 % of all comparisons."""
    draw, inside = np.random.default_rng(5), {"f1": [], "f2": []}
    for symbol in SYMBOLS:
        one = element(symbol)
        edges = np.array([edge for edge in one.edges.values() if 250 < edge < 140e3])
        energy = (edges[:, None] * (1 + draw.uniform(-0.02, 0.02, (len(edges), 20)))).ravel()
        (f1, f2), (band1, band2) = one.factors(energy), one.bands(energy)
        nodes, c1, c2 = chantler(symbol)
        inside["f1"].append(np.abs(np.interp(energy, nodes, c1) - f1) <= band1)
        for places, other in (cxro(symbol), (nodes, c2)):
            there = energy < places[-1]
            off = np.exp(np.interp(np.log(energy[there]), np.log(places), np.log(other))) / f2[there] - 1
            inside["f2"].append(np.abs(off) <= band2[there])
    for name, parts in inside.items():
        assert np.concatenate(parts).mean() > 0.99, (name, np.concatenate(parts).mean())


def test_the_sum_of_both_kinds_of_scatter_is_that_of_each():
    energy = np.geomspace(31.0, 149e3, 500)
    for symbol in ("H", "C", "Au"):
        both = element(symbol).scattered(np.log(energy))
        np.testing.assert_allclose(both, sum(element(symbol).scatter(energy)), rtol=5e-4)


def test_every_f2_jumps_where_its_edge_is_listed_and_f1_dips_there():
    """K and L edges where the sources have a step: f2 half way up, all the way soon after; f1 lowest."""
    looked = 0
    for symbol in SYMBOLS:
        one = element(symbol)
        for shell, edge in one.edges.items():
            # CXRO has measured white lines of the light transition metals at their L edges
            if shell not in ("K", "L3", "L2", "L1") or edge < (300 if shell == "K" else 1000):
                continue
            width = one.widths[shell]
            f2 = one.factors(np.array([edge - width, edge, edge + width]))[1]
            if f2[2] / f2[0] < 1.1:  # CXRO has no step here (459 edges of .1-30 keV)
                continue
            looked += 1
            # silicon's step once took 20 eV, by a slip in a source
            assert shell != "K" or f2[2] > 0.9 * one.factors(edge + 10 * width)[1], (symbol, shell)
            assert f2[1] == pytest.approx((f2[0] + f2[2]) / 2, rel=0.05), (symbol, shell)
            around = edge + np.linspace(-6, 6, 481) * width
            assert around[np.argmin(one.factors(around)[0])] == pytest.approx(edge, abs=0.6 * width), (symbol, shell)
    assert looked > 200


def test_no_vacancy_is_made_below_its_absorption_edge_and_some_above_in_every_shell():
    """Excitation thresholds are absorption edges, for all elements and shells that have lines."""
    looked = 0
    for symbol in SYMBOLS:
        one = element(symbol)
        for shell, edge in one.edges.items():
            if shell not in lines._SHELLS or not 31 < edge < 140e3:
                continue
            assert lines.vacancies(symbol, edge - 0.01)[shell] == 0.0, (symbol, shell)
            if shell[0] in "KL" and edge > 200:
                assert lines.vacancies(symbol, edge + 0.01)[shell] > 0, (symbol, shell)
            looked += 1
    assert looked > 500
