"""Species from spectra: reference fits, clusters and regions against what was put in, with honest error bars."""

from __future__ import annotations

import itertools
import warnings
from functools import cache
from typing import Any

import numpy as np
import pytest
from scipy.optimize import nnls

import xsim
from xsim.errors import FileError, RangeError, ValidityWarning
from xsim.exposure import Measurement
from xsim.instruments.absorption import Absorption
from xsim.instruments.stxm import Stxm
from xsim.matter import library
from xsim.metrics.speciation import compare_classes, compare_regions, compare_shares
from xsim.reconstruct._combination import combined, counted_combination, warn_of_misfit
from xsim.reconstruct.clusters import Clusters
from xsim.reconstruct.lcf import LinearCombination, shares
from xsim.reconstruct.region_spectra import RegionSpectra
from xsim.scans.energies import Energies
from xsim.specimen.specimen import Specimen

IRON = ("iron", "wustite", "hematite")
SCAN = ["7060 eV .. 7100 eV / 20 eV", "7106 eV .. 7140 eV / 2 eV", "7160 eV .. 7220 eV / 20 eV"]


def sandwich(**nanometres: int) -> Specimen:
    """Layers of materials on one another."""
    return Specimen.from_table({"layers": [{"material": m, "thickness": f"{t} nm"} for m, t in nanometres.items()]})


def spectrum(specimen: Specimen, seed: int = 1, **table: Any) -> Measurement:
    instrument = Absorption.model_validate({"flux": "1e7 1/s", "monitor": {"efficiency": 0.5}, **table})
    return xsim.simulate(specimen, Energies.model_validate({"values": SCAN}).apply(instrument), seed=seed)


@cache
def balls() -> Measurement:
    """A ball of iron, one of hematite, and nothing else, in one scanning stack."""
    parts = [
        {"name": m, "material": m, "shape": {"kind": "sphere", "radius": "200 nm"},
         "placement": {"kind": "at", "positions": [[x, "0 nm", "0 nm"]]}}
        for m, x in (("iron", "-350 nm"), ("hematite", "350 nm"))
    ]  # fmt: skip
    specimen = Specimen.from_table({"extent": ["2 um", "2 um"], "population": parts})
    table = {"energy": "7.13 keV", "field": ["1.4 um", "0.9 um"], "step": "100 nm", "flux": "1e9 1/s", "mirrors": {}}
    instrument = Stxm.model_validate({**table, "exposure_time": "4 ms", "monitor": {"efficiency": 0.3}})
    return xsim.simulate(specimen, Energies.model_validate({"values": SCAN}).apply(instrument))


def test_the_bounded_optimum_is_that_of_an_independent_solver():
    rng = np.random.default_rng(3)
    columns, weights = rng.uniform(0, 1, (12, 4)), rng.uniform(0.5, 2, (12, 50))
    values = columns @ rng.normal(0.2, 1, (4, 50)) + rng.normal(0, 0.1, (12, 50))
    found = combined(columns, values, weights, 4)
    for k in range(50):
        root = np.sqrt(weights[:, k])
        np.testing.assert_allclose(
            found.amounts[:, k], nnls(columns * root[:, None], values[:, k] * root)[0], atol=1e-9
        )
    free = combined(columns, values, weights, 0)
    assert (free.amounts < 0).any()
    assert np.all(free.chi2 <= found.chi2 + 1e-12)


@pytest.mark.parametrize("poisson", [True, False])
def test_counts_give_back_their_amounts_and_the_likelihood_has_no_bias_where_few_were_counted(poisson):
    rng = np.random.default_rng(5)
    columns = np.stack([np.linspace(1, 2, 20), np.linspace(2, 0.5, 20) ** 2], axis=1)
    true = np.array([0.7, 0.4])
    blank = np.full((20, 4000), 60.0)
    counted = np.maximum(rng.poisson(blank * np.exp(-columns @ true)[:, None]), 0.5)
    found = counted_combination(columns, counted, blank, np.zeros_like(blank), 0, poisson)
    error = np.sqrt(np.einsum("pii->ip", found.covariance))
    bias = (found.amounts.mean(axis=1) - true) / (found.amounts.std(axis=1) / np.sqrt(4000))
    if poisson:
        assert np.all(abs(bias) < 4)
        np.testing.assert_allclose(found.amounts.std(axis=1), error.mean(axis=1), rtol=0.05)
    else:
        assert np.any(abs(bias) > 8)


@pytest.mark.parametrize("seed", [1, 2])
def test_a_mixture_is_found_within_its_error_bars(seed):
    specimen = sandwich(iron=300, hematite=900, wustite=500)
    found = LinearCombination(references=IRON)(spectrum(specimen, seed))
    metres = np.array([300e-9, 500e-9, 900e-9])
    assert np.all(abs(found.values - metres) < 4 * found.error)
    assert np.all(found.error < 0.1 * metres)
    assert 0.5 < found.numbers["chi2_per_freedom"] < 1.7
    atoms = metres * np.array([library.find(m).number_densities["Fe"] for m in IRON])
    share, bar = found.extras["fraction"].values, found.extras["fraction_error"].values
    assert np.all(abs(share - atoms / atoms.sum()) < 4 * bar)
    assert share.sum() == pytest.approx(1)


def test_error_bars_are_those_of_the_counts_and_shrink_with_the_dose():
    specimen = sandwich(iron=300, hematite=900)
    fit = LinearCombination(references=("iron", "hematite"))
    few, many = (fit(spectrum(specimen, flux=f)) for f in ("1e6 1/s", "1e8 1/s"))
    np.testing.assert_allclose(few.error / many.error, 10, rtol=0.02)
    one, rng, drawn = spectrum(specimen, flux="1e6 1/s"), np.random.default_rng(4), []
    for _ in range(80):
        monitor = {**one.geometry, "monitor_counts": rng.poisson(1e6, len(one.frames)).astype(float)}
        counts = rng.poisson(np.reshape(one.expected, one.counts.shape))
        drawn.append(fit(Measurement(**{**vars(one), "counts": counts, "geometry": monitor})).values)
    np.testing.assert_allclose(np.std(drawn, axis=0), few.error, rtol=0.3)


def test_a_shifted_monochromator_is_found_and_spoils_the_shares_if_it_is_not():
    shifted = ["7057 eV .. 7097 eV / 20 eV", "7103 eV .. 7137 eV / 2 eV", "7157 eV .. 7217 eV / 20 eV"]
    measured = spectrum(sandwich(iron=600, hematite=900))
    # the same counts, but the beamline believes the energies to be 3 eV lower than they are
    axis = Energies.model_validate({"values": shifted}).frames(Absorption().frames())
    moved = Measurement(**{**vars(measured), "frames": axis})
    found = LinearCombination(references=("iron", "hematite"), shift=True)(moved)
    assert found.numbers["energy_shift [eV]"] == pytest.approx(
        -3, abs=4 * found.numbers["energy_shift_error [eV]"] + 0.02
    )
    with pytest.warns(ValidityWarning, match="worse than its noise"):
        wrong = LinearCombination(references=("iron", "hematite"))(moved)
    assert wrong.numbers["chi2_per_freedom"] > 5 * found.numbers["chi2_per_freedom"]


@pytest.mark.parametrize(("freedom", "points"), [(6, 1), (30, 1), (30, 400)])
def test_noise_alone_is_not_told_as_a_misfit_and_twice_the_noise_is(freedom, points):
    chi2 = np.random.default_rng(7).chisquare(freedom, (200, points)) / freedom
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        for drawn in chi2:
            warn_of_misfit(drawn, freedom)
    assert len(told) <= 2
    factor = 2 if points > 1 else 6
    with pytest.warns(ValidityWarning, match="worse than its noise"):
        warn_of_misfit(factor * np.ones(points), freedom)


def test_the_resolution_of_the_measurement_is_given_to_the_references():
    broad = spectrum(sandwich(iron=60, hematite=90), flux="1e11 1/s", bandwidth={"relative_width": 5e-4, "samples": 31})
    found = LinearCombination(references=("iron", "hematite"))(broad)
    assert found.numbers["chi2_per_freedom"] < 3
    blind = Measurement(**{**vars(broad), "geometry": {k: v for k, v in broad.geometry.items() if "spread" not in k}})
    assert LinearCombination(references=("iron", "hematite"))(blind).numbers["chi2_per_freedom"] > 10


def test_shares_of_a_thin_mixture_are_found_in_its_fluorescence():
    window = {"window": ["6.2 keV", "6.6 keV"], "distance": "20 mm"}
    measured = spectrum(sandwich(iron=10, hematite=30), flux="1e10 1/s", fluorescence=window)
    found = LinearCombination(references=("iron", "hematite"), channel="fluorescence")(measured)
    atoms = np.array([10, 30]) * [library.find(m).number_densities["Fe"] for m in ("iron", "hematite")]
    share, bar = found.extras["fraction"].values, found.extras["fraction_error"].values
    assert np.all(abs(share - atoms / atoms.sum()) < np.maximum(4 * bar, 0.02))


def test_over_absorption_is_told_with_its_size_and_taken_out_of_a_layer():
    window = {"window": ["6.2 keV", "6.6 keV"], "distance": "20 mm"}
    thin = [{"material": m, "thickness": t} for m, t in (("iron", "60 nm"), ("hematite", "180 nm"))]
    measured = spectrum(Specimen.from_table({"layers": 10 * thin}), flux="1e11 1/s", fluorescence=window)
    atoms = np.array([600, 1800]) * [library.find(m).number_densities["Fe"] for m in ("iron", "hematite")]
    true = (atoms / atoms.sum()).reshape(2)
    fit = {"references": ("iron", "hematite"), "channel": "fluorescence"}
    with pytest.warns(ValidityWarning, match=r"fluorescence by up to [23]\d %"):
        kept = np.ravel(LinearCombination(**fit)(measured).extras["fraction"].values)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = np.ravel(LinearCombination(**fit, over_absorption="layer")(measured).extras["fraction"].values)
    assert abs(kept[0] - true[0]) > 0.03
    assert abs(found[0] - true[0]) < 0.01


def test_the_spread_of_shares_follows_their_covariance():
    rng = np.random.default_rng(2)
    atoms, mean = np.array([2.0, 1.0, 3.0]), np.array([5.0, 4.0, 2.0])
    root = rng.normal(0, 0.05, (3, 3))
    drawn = mean[:, None] + root @ rng.normal(size=(3, 40000))
    _, error, _ = shares(mean[:, None], (root @ root.T)[None], atoms, 0.0)
    held = atoms[:, None] * drawn
    np.testing.assert_allclose(error[:, 0], (held / held.sum(axis=0)).std(axis=1), rtol=0.03)


def test_a_map_of_species_is_scored_point_by_point():
    measured = balls()
    found = LinearCombination(references=("iron", "hematite"))(measured)
    extras = found.extras
    score, *maps = compare_shares(
        extras["fraction"], extras["fraction_error"], extras["atoms_per_volume"], measured.truth
    )
    assert score.numbers["rightly_classified"] == 1
    assert score.numbers["rms_error"] < 0.05
    assert score.numbers["correlation"] > 0.99
    assert [one.name for one in maps] == ["fraction_iron", "fraction_hematite"]
    swapped = {**measured.truth, "thickness_iron": measured.truth["thickness_hematite"]}
    swapped["thickness_hematite"] = measured.truth["thickness_iron"]
    wrong, *_ = compare_shares(extras["fraction"], extras["fraction_error"], extras["atoms_per_volume"], swapped)
    assert wrong.numbers["rightly_classified"] == 0


def test_clusters_find_the_balls_and_their_spectra():
    measured = balls()
    found = Clusters(classes=2)(measured)
    energies = found.extras["cluster_spectra"].axes[1].values
    cell = {"thickness_protein": measured.truth["thickness_hematite"]}  # has no edge: it is no class
    (score,) = compare_classes(found.extras["classes"], energies, measured.truth | cell)
    assert score.numbers["rightly_classified"] == 1
    again = Clusters(classes=2)(measured)
    np.testing.assert_array_equal(found.values, again.values)
    likeness = []
    for material, k in itertools.product(("iron", "hematite"), (1, 2)):
        mu = library.find(material).optics(energies).mu_total
        likeness.append(np.corrcoef(mu, found.extras["cluster_spectra"].values[k])[0, 1])
    one, two = sorted(likeness)[-2:]
    assert min(one, two) > 0.995


def test_spectra_of_single_particles_are_those_of_the_noise_free_stack():
    measured = balls()
    found = RegionSpectra()(measured)
    assert found.values.shape[0] == 2
    expected = xsim.exposure.Truth(measured.folded(measured.expected), measured.frames.axes)
    scores = compare_regions(found.values, found.error, found.extras["mask"], found.axes[1], expected)
    assert all(0.4 < one.numbers["chi2_per_point"] < 1.9 for one in scores)
    assert all(one.numbers["correlation"] > 0.999 for one in scores)
    disk = RegionSpectra(at=("-350 nm", "0 nm"), radius="120 nm")(measured)
    iron = library.find("iron").optics(disk.axes[1].values).mu_total
    assert np.corrcoef(disk.values[0], iron)[0, 1] > 0.999


def test_mistakes_are_told():
    with pytest.raises(RangeError, match="without references"):
        LinearCombination()(balls())
    with pytest.raises(RangeError, match="holds no Fe"):
        LinearCombination(references=("iron", "gold"), element="Fe")(balls())
    with pytest.raises(RangeError, match="told apart"):
        LinearCombination(references=("water", "vitreous_ice"), element="O")(balls())
    with pytest.raises(RangeError, match="without points"):
        RegionSpectra(at=("9 um", "0 nm"))(balls())
    with pytest.raises(FileError, match="no scan over energies"):
        Clusters()(xsim.simulate(sandwich(iron=100), Stxm()))
