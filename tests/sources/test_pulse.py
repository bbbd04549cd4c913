"""X-ray laser pulses against the statistics of random light, closed forms of foci and Rayleigh scattering of gas."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import gamma, kstest

from xsim.constants import E_CHARGE, R_E
from xsim.errors import RangeError
from xsim.sources.focus import Focus
from xsim.sources.pulse import Gas, Pulse
from xsim.sources.sase import HBAR_EV, Sase, Seeded, mode_number
from xsim.streams import StreamKey

KEY = StreamKey(3, "test")


@pytest.mark.parametrize("profile", ["flat", "gaussian"])
def test_the_energy_of_sase_pulses_is_gamma_distributed_with_one_over_modes_as_its_variance(profile: str) -> None:
    sase, energy, duration = Sase(bandwidth=1e-3), 8e3, 1.5e-15
    modes = sase.modes(energy, duration, profile)
    assert 2 < modes < 20
    drawn = np.array([sase.draw(energy, duration, profile, KEY, i).relative_energy for i in range(2000)])
    assert drawn.mean() == pytest.approx(1, abs=4 / np.sqrt(modes * 2000))
    # the variance of the sample variance of a gamma variate: (2 + 6/M)/n relative
    assert drawn.var() * modes == pytest.approx(1, abs=3 * np.sqrt((2 + 6 / modes) / 2000))
    # the sum of unequal modes is gamma-distributed but for its third moment
    assert kstest(drawn, gamma(modes, scale=1 / modes).cdf).statistic < 0.04


def test_modes_of_a_long_pulse_are_its_length_over_the_coherence_time() -> None:
    rms, duration = 8.0, 2e-13
    coherence = np.sqrt(np.pi) * HBAR_EV / rms
    assert mode_number(rms, duration, "flat") == pytest.approx(duration / coherence, rel=0.01)
    t = np.linspace(-0.5, 0.5, 2001) * 2e-15
    g = np.exp(-((rms / HBAR_EV * (t[:, None] - t)) ** 2)).mean()
    assert mode_number(rms, 2e-15, "flat") == pytest.approx(1 / g, rel=2e-3)
    assert mode_number(rms, 1e-20, "flat") == pytest.approx(1, abs=1e-6)


def test_the_average_spectrum_is_the_bandwidth_and_a_single_one_is_spiky() -> None:
    sase, energy, duration = Sase(bandwidth=2e-3), 8e3, 20e-15
    shots = [sase.draw(energy, duration, "flat", KEY, i) for i in range(200)]
    mean = np.mean([s.weights * s.relative_energy for s in shots], axis=0)
    offsets = shots[0].energies - energy
    rms = np.sqrt(np.sum(mean * offsets**2) / mean.sum())
    # a flat pulse has wide wings: compare the half width instead
    inside = np.abs(offsets) <= 8.0
    assert mean[inside].sum() / mean.sum() == pytest.approx(0.7610, abs=0.01)
    assert rms == pytest.approx(16 / 2.3548, rel=0.05)
    # spikes: the intensity at one energy is exponentially distributed, <I^2> = 2 <I>^2
    middle = np.array([s.weights[np.abs(offsets) < 4] * s.relative_energy for s in shots])
    assert (middle**2).mean() / (middle.mean(axis=0) ** 2).mean() == pytest.approx(2, abs=0.15)


def test_lines_of_a_spectrum_keep_its_mean_and_share_its_light_evenly() -> None:
    one = Sase().draw(8e3, 10e-15, "gaussian", KEY, 4)
    energies, weights = one.lines(7)
    assert np.sum(energies * weights) == pytest.approx(one.mean, rel=1e-12)
    assert weights.sum() == pytest.approx(1)
    assert np.abs(weights - 1 / 7).max() < 0.05
    assert np.all(np.diff(energies) > 0)


def test_a_seeded_pulse_is_narrow_and_fluctuates_with_few_modes() -> None:
    seeded = Seeded(bandwidth=1e-4, modes_seeded=4, pedestal=0)
    shots = [seeded.draw(8e3, 50e-15, "gaussian", KEY, i) for i in range(1500)]
    assert shots[0].rms == pytest.approx(0.8 / 2.3548, rel=0.01)
    assert np.var([s.relative_energy for s in shots]) == pytest.approx(0.25, rel=0.2)
    limited = Seeded(bandwidth=1e-6, pedestal=0).draw(8e3, 5e-15, "gaussian", KEY, 0)
    assert limited.rms * 2.3548 == pytest.approx(1.825 / 5, rel=0.01)  # 1.825 eV fs: the transform limit of a Gaussian


@pytest.mark.parametrize("shape", ["flat", "gaussian", "lorentzian", "kb"])
def test_a_focus_holds_all_photons_and_has_its_width(shape: str) -> None:
    focus = Focus(shape=shape, size="100 nm")
    if shape == "flat":
        assert focus.peak == pytest.approx(4 / (np.pi * 1e-14))
        assert focus.density(51e-9, 0) == 0
        return
    assert float(focus.density(50e-9, 0)) == pytest.approx(focus.peak / 2, rel=1e-9)
    x = np.linspace(-40, 40, 1601) * 50e-9
    total = focus.density(x[:, None], x[None, :]).sum() * (x[1] - x[0]) ** 2
    # beyond 40 half widths: 1/(pi^2 u) of each axis of sinc^2; a little less than at the radius, for a square of a^2/r
    missing = {"gaussian": 0.0, "kb": 2 / (np.pi**2 * 2000 * 0.8859 / 100), "lorentzian": 0.029}[shape]
    assert total == pytest.approx(1 - missing, abs=2e-3)


def test_photons_and_fluence_follow_from_the_energy_of_the_pulse() -> None:
    pulse = Pulse(energy="2 mJ", transmission=0.4, focus={"shape": "flat", "size": "1 um"})
    assert pulse.photons(8e3) == pytest.approx(0.8e-3 / (8e3 * E_CHARGE))
    shot = pulse.shot(8e3, 5)
    assert shot.fluence == pytest.approx(shot.photons / (np.pi * 0.25e-12))
    assert pulse.shot(8e3, 5).fluence == shot.fluence != pulse.shot(8e3, 6).fluence


def test_jitter_of_the_focus_thins_the_mean_fluence_as_convolved_gaussians_do() -> None:
    size = 200e-9
    pulse = Pulse(focus={"size": "200 nm", "jitter": "80 nm"}, spectrum={"kind": "seeded", "pedestal": 0})
    shots = [pulse.shot(8e3, i) for i in range(1500)]
    share = np.array([s.fluence / s.photons for s in shots])
    variance = (size / 2.3548) ** 2
    expected = 1 / (2 * np.pi * (variance + 80e-9**2))
    assert share.mean() == pytest.approx(expected, abs=3 * share.std() / np.sqrt(1500))
    positions = np.array([s.position for s in shots])
    np.testing.assert_allclose(positions.std(axis=0), 80e-9, rtol=0.07)


def test_helium_scatters_as_two_electrons_forward_and_as_two_free_ones_far_away() -> None:
    gas = Gas(formula="He", pressure="100 Pa", length="10 mm", temperature="300 K")
    column = 100 / (1.380649e-23 * 300) * 0.01
    forward, far = gas.scattering(np.array([0.0, 5e11]), 8e3)
    assert forward == pytest.approx(column * R_E**2 * 4, rel=2e-3)
    assert far == pytest.approx(column * R_E**2 * 2, rel=2e-3)


def test_a_pulse_that_is_no_pulse_is_refused_with_its_limits() -> None:
    with pytest.raises(ValueError, match="1000 fs") as caught:
        Pulse(duration="1 ns")
    assert isinstance(caught.value, RangeError) or "0.1 fs to 1000 fs" in str(caught.value)
    with pytest.raises(RangeError, match="shorten the pulse"):
        Sase(bandwidth=0.05).draw(2e4, 1e-12, "gaussian", KEY, 0)
