"""The silicon drift detector: widths, escape, conservation, counting laws."""

import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

from xsim.detectors.silicon_drift import SiliconDrift
from xsim.errors import RangeError
from xsim.exposure import Axis, Exposure, FrameTable
from xsim.matter.silicon_response import Response, escape_fraction
from xsim.streams import StreamKey

KEY = StreamKey(3, "sdd")


def lines(photons, energies, time=1.0):
    """Frames of expected photons (frames, groups) in lines of `energies` [eV]."""
    photons = np.asarray(photons, float)
    frames = len(photons)
    table = FrameTable({"energy": np.full(frames, 12e3), "time": np.full(frames, time)}, {}, (), np.arange(frames))
    energy = np.broadcast_to(np.asarray(energies, float), photons.shape).copy()
    return Exposure(photons, energy, (), table, np.ones(frames))


def ideal(**fields):
    """A detector of perfect efficiency with a plain Gaussian response."""
    return SiliconDrift(**{"efficiency": 1.0, "tail": 0.0, "shelf": 0.0, "escape": False} | fields)


def width(spectrum, energies):
    """FWHM from the second moment [eV]."""
    p = spectrum / spectrum.sum()
    mean = np.sum(p * energies)
    return np.sqrt(8 * np.log(2) * np.sum(p * (energies - mean) ** 2))


def test_fano_noise_alone_is_117_ev_at_5_9_kev():
    assert Response(0.0, 0.115, 0.0, 80.0, 0.0).fwhm(5895.0) == pytest.approx(117.2, abs=0.2)


@pytest.mark.parametrize(("energy", "noise"), [(5895.0, 60.0), (1500.0, 40.0), (11442.0, 90.0)])
def test_line_width_is_fano_and_electronic_noise_in_quadrature(energy, noise):
    sdd = ideal(noise=f"{noise} eV", width="5 eV", channels=4096)
    want = np.sqrt(noise**2 + 8 * np.log(2) * 0.115 * 3.65 * energy)
    measured = width(sdd.mean(lines([[1e6]], [energy]))[0], sdd.energies)
    # a channel of 5 eV adds its own variance, width^2 / 12
    assert measured == pytest.approx(np.sqrt(want**2 + 8 * np.log(2) * 25 / 12), rel=1e-4)
    assert sdd.fwhm(energy) == pytest.approx(want, rel=1e-9)


def test_silicon_escape_is_0_0038_at_5_9_kev():
    assert escape_fraction(5900.0) == pytest.approx(0.0038, abs=0.0003)
    assert escape_fraction(1800.0) == 0
    assert escape_fraction(15000.0) < escape_fraction(5900.0)
    sdd = ideal(escape=True)
    spectrum = sdd.mean(lines([[1e6]], [5895.0]))[0]
    near = np.abs(sdd.energies - (5895 - 1740)) < 300
    assert spectrum[near].sum() == pytest.approx(1e6 * escape_fraction(5895.0), rel=1e-6)


@pytest.mark.parametrize("energy", [700.0, 2307.0, 6404.0, 13000.0])
def test_a_line_keeps_its_photons(energy):
    sdd = SiliconDrift(efficiency=0.5, zero="-1 keV", channels=3000, escape=False)
    spectrum = sdd.mean(lines([[1e6]], [energy]))[0]
    assert spectrum.sum() == pytest.approx(5e5, rel=2e-5)
    assert spectrum.min() >= 0


def test_tail_and_shelf_lie_below_the_line_with_their_fractions():
    sdd = ideal(tail=0.05, shelf=0.03, tail_length="100 eV", noise="20 eV", tail_law="constant")
    spectrum = sdd.mean(lines([[1e6]], [6404.0]))[0]
    shelf = spectrum[(sdd.energies > 1000) & (sdd.energies < 4000)]
    assert shelf == pytest.approx(np.full(shelf.shape, 1e6 * 0.03 * 10 / 6404), rel=1e-3)
    assert np.sum(spectrum * sdd.energies) / 1e6 == pytest.approx(6404 - 0.05 * 100 - 0.03 * 3202, abs=0.5)


def test_counts_follow_the_summed_spectrum():
    sdd = ideal(channels=1024, tail=0.02, shelf=0.01)
    shot = lines(np.tile([[300.0, 80.0]], (2000, 1)), [6404.0, 9713.0])
    counts = sdd.read(shot, KEY)
    total, want = counts.sum(0), sdd.mean(shot).sum(0)
    big = want > 20
    chi2 = np.sum((total - want)[big] ** 2 / want[big])
    assert stats.chi2.sf(chi2, big.sum()) > 1e-3
    assert counts.sum(1).var() / 380 == pytest.approx(1, abs=4 * np.sqrt(2 / 2000))
    peak = counts[:, 640]
    assert peak.var() / peak.mean() == pytest.approx(1, abs=4 * np.sqrt((2 + 1 / peak.mean()) / 2000))


@pytest.mark.parametrize(("model", "x"), [("paralysable", 0.5), ("non_paralysable", 0.5)])
def test_dead_time_follows_the_input_rate(model, x):
    sdd = ideal(dead_time="1 us", dead_time_model=model)
    shot = lines(np.full((500, 2), x * 1e6 / 2 * 0.01), [6404.0, 9713.0], time=0.01)
    counts = sdd.read(shot, KEY)
    n = x * 1e4
    mean = n * np.exp(-x) if model == "paralysable" else n / (1 + x)
    ratio = 1 - 2 * x * np.exp(-x) if model == "paralysable" else 1 / (1 + x) ** 2
    totals = counts.sum(1)
    assert sdd.mean(shot).sum(1) == pytest.approx(np.full(500, mean), rel=1e-6)
    assert totals.mean() == pytest.approx(mean, abs=4 * np.sqrt(mean * ratio / 500))
    assert totals.var() / totals.mean() == pytest.approx(ratio, rel=4 * np.sqrt(2 / 500))
    want = sdd.mean(shot).sum(0)
    big = want > 20
    assert stats.chi2.sf(np.sum((counts.sum(0) - want)[big] ** 2 / want[big]), big.sum()) > 1e-3


def test_bits_do_not_depend_on_chunks():
    for sdd in (ideal(), ideal(dead_time="1 us")):
        photons = np.random.default_rng(0).uniform(0, 2000, (5, 7))
        shot = lines(photons, np.linspace(2000, 12000, 7))
        whole = sdd.read(shot, KEY)
        part = Exposure(photons[3:], shot.group_energy[3:], (), shot.frames.take(slice(3, 5)), np.ones(2))
        assert np.array_equal(whole[3:], sdd.read(part, KEY))


def test_solid_angle_of_a_disk():
    assert SiliconDrift(area="50 mm^2", distance="1 m").solid_angle == pytest.approx(50e-6, rel=1e-4)
    assert SiliconDrift(area="50 mm^2", distance="1 um").solid_angle == pytest.approx(2 * np.pi, rel=1e-3)


def test_an_imaging_exposure_is_refused():
    shot = lines([[1.0]], [6404.0])
    image = Exposure(np.ones((1, 1, 2)), shot.group_energy, (Axis("x", np.arange(2), "m"),), shot.frames, np.ones(1))
    with pytest.raises(RangeError, match="axes of a silicon drift"):
        SiliconDrift().mean(image)


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_impossible_photons_are_refused(bad):
    with pytest.raises(RangeError, match="expected photons"):
        ideal().read(lines([[bad, 1.0]], [6404.0, 7000.0]), KEY)


@pytest.mark.parametrize(
    "fields", [{"channels": 0}, {"fano": 2.0}, {"tail": 0.7, "shelf": 0.6}, {"width": "0 eV"}, {"area": 50.0}]
)
def test_wrong_fields_are_refused(fields):
    with pytest.raises(ValidationError):
        SiliconDrift(**fields)
