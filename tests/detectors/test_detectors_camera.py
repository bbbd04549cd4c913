"""The integrating camera against its photon-transfer curve."""

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.ndimage import convolve1d

from xsim.detectors.camera import Camera, spread_kernel
from xsim.errors import RangeError, ValidityWarning
from xsim.exposure import Axis, Exposure, FrameTable
from xsim.streams import StreamKey

KEY = StreamKey(3, "camera")


def flat(levels, pixels=200, energy=520.0, time=2.0):
    """Frames of uniform expected photons (one per level), levels (frames,) or (frames, groups)."""
    levels = np.asarray(levels, float)
    levels = levels[:, None] if levels.ndim == 1 else levels
    frames, groups = levels.shape
    table = FrameTable(
        {"energy": np.full(frames, 520.0), "time": np.full(frames, time)}, {}, (), np.arange(frames, dtype=np.int64)
    )
    expected = np.broadcast_to(levels[:, :, None, None], (frames, groups, pixels, pixels)).copy()
    axes = (Axis("y", np.arange(pixels), "m"), Axis("x", np.arange(pixels), "m"))
    return Exposure(expected, np.broadcast_to(energy, (frames, groups)).astype(float), axes, table, np.ones(frames))


def statistics(counts):
    """Mean and variance per frame, float64."""
    values = counts.reshape(len(counts), -1).astype(float)
    return values.mean(1), values.var(1)


def test_photon_transfer_curve_of_direct_detection():
    levels = np.geomspace(0.05, 300, 9)
    camera = Camera(efficiency=0.7, dark="4 1/s", read_noise=5.0, gain=1.7, full_well=1e6, offset=50.0, adc_bits=20)
    mean, variance = statistics(camera.read(flat(levels), KEY))
    g, n = 520 / 3.65, 200 * 200
    want_mean = (0.7 * levels * g + 8) / 1.7 + 50
    want = (0.7 * levels * (g * g + 0.115 * g) + 8 + 25) / 1.7**2 + 1 / 12
    kurtosis = 0.7 * levels * g**4 / 1.7**4 / want**2
    assert np.all(np.abs(mean - want_mean) < 4 * np.sqrt(want / n))
    assert np.all(np.abs(variance / want - 1) < 4 * np.sqrt((2 + kurtosis) / n))
    np.testing.assert_allclose(camera.mean(flat(levels))[:, 0, 0], want_mean, rtol=1e-12)


def test_photon_transfer_curve_of_a_scintillator_with_few_light_quanta():
    levels = np.geomspace(0.5, 3000, 7)
    camera = Camera(
        conversion="scintillator", pair_energy="260 eV", efficiency=0.5, read_noise=2.0, gain=0.5, adc_bits=20
    )
    mean, variance = statistics(camera.read(flat(levels), KEY))
    g, n = 2.0, 200 * 200
    want_mean = 0.5 * levels * g / 0.5 + 100
    want = (0.5 * levels * (g * g + g) + 4) / 0.25 + 1 / 12
    assert np.all(np.abs(mean - want_mean) < 4 * np.sqrt(want / n))
    assert np.all(np.abs(variance / want - 1) < 4 * np.sqrt((2 + 10 / levels) / n))


def test_two_energies_drawn_apart_have_the_sum_of_their_variances():
    camera = Camera(read_noise=0.0, gain=1.0, full_well=1e9, adc_bits=32, fano=0.0)
    shot = flat([[40.0, 10.0]], energy=np.array([[500.0, 2000.0]]))
    _, variance = statistics(camera.read(shot, KEY))
    want = 40 * (500 / 3.65) ** 2 + 10 * (2000 / 3.65) ** 2
    assert variance[0] == pytest.approx(want, rel=4 * np.sqrt(2 / 40000))


def test_read_noise_has_zero_mean():
    camera = Camera(read_noise=8.0, gain=0.5)
    mean, variance = statistics(camera.read(flat(np.zeros(4)), KEY))
    assert mean == pytest.approx(100.0, abs=4 * np.sqrt(256 / 40000))
    assert variance == pytest.approx(256 + 1 / 12, rel=4 * np.sqrt(2 / 40000))


def test_an_offset_too_small_for_the_read_noise_is_announced():
    with pytest.warns(ValidityWarning, match="below zero"):
        Camera(read_noise=8.0, gain=0.5, offset=10.0).read(flat(np.zeros(1)), KEY)


def test_shared_charge_lowers_the_variance_by_the_sum_of_squares_of_the_kernel():
    camera = Camera(spread="8 um", read_noise=0.0, gain=1.0, full_well=1e9, adc_bits=32, fano=0.0)
    counts = camera.read(flat([50.0] * 4), KEY)[:, 10:-10, 10:-10].astype(float)
    g = 520 / 3.65
    kernel = spread_kernel(8 / 13.5)
    want = np.sum(kernel**2) ** 2 * 50 * g * g
    assert counts.mean() == pytest.approx(100 + 50 * g, rel=0.002)
    # neighbours are correlated, so the effective number of samples is smaller by about the same factor
    assert counts.var() == pytest.approx(want, rel=4 * np.sqrt(2 / (counts.size / 4)))


def test_light_spread_keeps_xray_noise_correlated_and_light_noise_independent():
    camera = Camera(
        conversion="scintillator",
        pair_energy="26 eV",
        spread="8 um",
        read_noise=0.0,
        gain=1.0,
        adc_bits=20,
        full_well=1e9,
    )
    counts = camera.read(flat([30.0] * 4), KEY)[:, 10:-10, 10:-10].astype(float)
    kernel = spread_kernel(8 / 13.5)
    want = np.sum(kernel**2) ** 2 * 30 * 20**2 + 30 * 20 + 1 / 12
    assert counts.var() == pytest.approx(want, rel=4 * np.sqrt(2 / (counts.size / 4)))


def test_blur_moves_whole_photons_and_loses_none():
    shot = flat([0.0], pixels=41)
    shot.expected[0, 0, 20, 20] = 1e4
    camera = Camera(blur="10 um", read_noise=0.0, gain=1.0, offset=0.0, full_well=1e9, adc_bits=32)
    profile = camera.mean(shot)[0].sum(0)
    x = (np.arange(41) - 20) * 13.5
    assert profile.sum() == pytest.approx(1e4 * 520 / 3.65, rel=1e-9)
    # where in its pixel a photon starts is uniform: 1/6 pixel^2 more, up to exp(-2 (pi sigma)^2) of the sampling
    assert np.sum(profile * x**2) / profile.sum() == pytest.approx(10**2 + 13.5**2 / 6, rel=1e-5)
    edge = flat([0.0], pixels=41)
    edge.expected[0, 0, 0, 0] = 1e4
    assert camera.mean(edge).sum() == pytest.approx(1e4 * 520 / 3.65, rel=1e-9)


def test_spread_kernel_is_the_pixel_average_of_a_gaussian():
    sigma, fine = 0.7, 200
    x = (np.arange(-12 * fine, 12 * fine) + 0.5) / fine
    cloud = convolve1d(
        ((np.abs(x) < 0.5) * 1.0), np.exp(-((np.arange(-1600, 1601) / fine) ** 2) / 2 / sigma**2), mode="constant"
    )
    shares = [cloud[(x > k - 0.5) & (x < k + 0.5)].sum() for k in range(-6, 7)]
    kernel = spread_kernel(sigma)
    assert kernel == pytest.approx(np.array(shares) / cloud.sum(), abs=1e-5)


def test_a_full_well_and_a_full_adc_clip_and_say_so():
    with pytest.warns(ValidityWarning, match="full well"):
        counts = Camera(full_well=1000.0, gain=2.0, offset=10.0).read(flat([1e3]), KEY)
    assert np.all(counts == 510)
    with pytest.warns(ValidityWarning, match="ADC"):
        counts = Camera(full_well=1e9, adc_bits=12).read(flat([1e4]), KEY)
    assert np.all(counts == 4095)
    assert counts.dtype == np.uint16


def test_calibration_returns_the_photons():
    camera = Camera(efficiency=0.6, gain=1.3)
    offset, scale = camera.calibration(520.0)
    assert (camera.mean(flat([37.0]))[0, 0, 0] - offset) / scale == pytest.approx(37.0, rel=1e-12)


def test_bits_do_not_depend_on_chunks():
    camera = Camera(spread="8 um", dark="10 1/s")
    shot = flat(np.array([1.0, 20.0, 300.0]), pixels=50)
    whole = camera.read(shot, KEY)
    last = Exposure(shot.expected[2:], shot.group_energy[2:], shot.axes, shot.frames.take(slice(2, 3)), np.ones(1))
    assert np.array_equal(whole[2:], camera.read(last, KEY))


@pytest.mark.parametrize("bad", [-1.0, np.nan, np.inf])
def test_impossible_photons_are_refused(bad):
    with pytest.raises(RangeError, match="expected photons"):
        Camera().read(flat([bad], pixels=4), KEY)


@pytest.mark.parametrize(
    "fields",
    [
        {"efficiency": -0.1},
        {"read_noise": -1.0},
        {"gain": 0.0},
        {"full_well": 0.0},
        {"adc_bits": 0},
        {"fano": 1.5},
        {"offset": 70000.0},
        {"dark": 3.0},
        {"spread": "1 s"},
        {"color": "red"},
    ],
)
def test_wrong_fields_are_refused(fields):
    with pytest.raises(ValidationError):
        Camera(**fields)


def test_gaps_of_a_camera_read_minus_one_and_give_no_charge_to_their_neighbours():
    tiles = {"shape": (40, 40), "module": (18, 40), "gap": (4, 0)}
    camera = Camera(read_noise=0.0, fano=0.0, spread="13.5 um", offset=10.0, **tiles)
    shot = flat([400.0], pixels=40)
    counts, gaps = camera.read(shot, KEY)[0], camera.gaps
    assert counts.dtype == np.int32
    assert gaps.sum() == 4 * 40
    assert np.all(counts[gaps] == -1)
    assert np.all(counts[~gaps] >= 10)
    whole = Camera(read_noise=0.0, fano=0.0, spread="13.5 um", offset=10.0, shape=(40, 40))
    full = whole.mean(shot)[0] - 10
    # what a row at the brink of a gap would get from the four rows in it is the tail of the kernel
    kernel = spread_kernel(1.0)
    lost = kernel[len(kernel) // 2 + 1 : len(kernel) // 2 + 5].sum()
    brink = camera.mean(shot)[0, 17] - 10
    assert brink == pytest.approx(full[17] * (1 - lost), rel=1e-9)
    assert camera.mean(shot)[0, 2] - 10 == pytest.approx(full[2], rel=1e-9)
