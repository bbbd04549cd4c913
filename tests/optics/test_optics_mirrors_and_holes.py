"""Laws of mirror pairs, condensers, pinholes and images in partially coherent light."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import j1

from xsim.constants import wavelength
from xsim.errors import RangeError, SamplingError, SamplingWarning
from xsim.optics.condenser import Condenser
from xsim.optics.imaging import abbe_image
from xsim.optics.kirkpatrick_baez import KirkpatrickBaez, Mirror, reflectivity
from xsim.optics.pinhole import Pinhole
from xsim.optics.zone_plate import ZonePlate
from xsim.waves.angular_spectrum import propagate
from xsim.waves.grid import Grid

MICRO = ZonePlate(outermost_zone="15 nm", diameter="30 um", material="opaque")
ENERGY = 815.0


def _width(x: np.ndarray, values: np.ndarray) -> float:
    half = values.max() / 2
    inside = np.flatnonzero(values >= half)
    a, b = inside[0], inside[-1]
    left = x[a] - (x[1] - x[0]) * (values[a] - half) / (values[a] - values[a - 1])
    right = x[b] + (x[1] - x[0]) * (values[b] - half) / (values[b] - values[b + 1])
    return float(right - left)


def test_mirror_pairs_focus_to_the_published_widths():
    mirror = Mirror(
        length="100 mm", angle="3 mrad", focal_distance="0.2 m", source_size="25 um", source_distance="50 m"
    )
    assert mirror.numerical_aperture == pytest.approx(7.5e-4, rel=1e-5)
    assert mirror.diffraction_width(1e4) == pytest.approx(73.2e-9, rel=1e-3)
    assert mirror.fwhm(1e4) == pytest.approx(124e-9, rel=1e-3)


@pytest.mark.parametrize("source", ["0 um", "10 um", "25 um", "200 um"])
def test_the_focus_of_a_mirror_pair_is_as_wide_as_it_says(source):
    mirror = Mirror(source_size=source)
    pair = KirkpatrickBaez(horizontal=mirror, vertical=mirror)
    grid = Grid((512, 512), 5e-9)
    intensity = pair.probe_intensity(grid, 1e4)
    assert intensity.sum() == pytest.approx(1, rel=1e-12)
    # the quadrature sum is itself good to 3 percent
    assert _width(grid.x, intensity[256]) == pytest.approx(
        float(mirror.fwhm(1e4)), rel=0.03 if source != "0 um" else 2e-3
    )
    assert np.allclose(intensity, intensity.T)


def test_a_coarse_pixel_collects_the_light_of_the_fine_ones_in_it():
    pair = KirkpatrickBaez()
    fine = pair.probe_intensity(Grid((300, 300), 10e-9), 1e4)
    fine = fine[5:295, 5:295].reshape(29, 10, 29, 10).sum((1, 3))
    coarse = pair.probe_intensity(Grid((29, 29), 100e-9, (0.0, 0.0)), 1e4)
    # pixel centres of the two grids differ by half a fine pixel
    assert np.max(np.abs(fine / fine.sum() - coarse)) < 0.02


def test_the_coherent_focus_squared_is_the_focus_of_a_point_source():
    """Its transform is the exact one at every frequency but zero, where light beyond the window is missing."""
    mirror = Mirror(source_size="0 um")
    pair = KirkpatrickBaez(horizontal=mirror, vertical=Mirror(source_size="0 um", length="60 mm"))
    grid = Grid((256, 256), 5e-9)
    coherent = np.abs(pair.probe(grid, 1e4)) ** 2
    assert coherent.sum() == pytest.approx(1)
    exact = mirror.transfer(grid.frequencies()[1].ravel(), 1e4)
    spectrum = np.fft.fft(np.fft.ifftshift(coherent.sum(axis=0)))
    seen = np.abs(exact) > 0.05
    seen[0] = False
    assert spectrum[seen] / spectrum[1] == pytest.approx(exact[seen] / exact[1], abs=1e-9)
    intensity = pair.probe_intensity(grid, 1e4)
    lost = 2 * 82.7e-9 / (np.pi**2 * 0.64e-6)  # of sinc^2 beyond the window, per axis; the vertical mirror's is wider
    assert np.max(np.abs(coherent - intensity)) < (lost + lost / 0.6) * coherent.max()
    with pytest.raises(SamplingError):
        pair.probe(Grid((64, 64), 100e-9), 1e4)


@pytest.mark.parametrize(("figure", "defocus"), [("0 nm", 0.0), ("1.5 nm", 0.0), ("1 nm", 150e-6)])
def test_the_spectrum_of_a_focus_is_that_of_the_wave_that_its_pupil_makes(figure, defocus):
    """Direct quadrature of the diffraction integral, wide enough for the tails, against the overlap of the pupils."""
    mirror = Mirror(source_size="0 um", figure_error=figure, focus_offset="20 um")
    u = (np.arange(6000) + 0.5) / 3000 - 1
    k_na = 2 * np.pi / wavelength(1e4) * mirror.numerical_aperture
    x = np.arange(-300, 301) * 10e-9
    wave = np.exp(1j * k_na * np.outer(x, u)) @ np.exp(1j * mirror.phase(u, 1e4, defocus)) / len(u)
    n = 4096
    q = 2 * np.pi * np.fft.fftfreq(n, 10e-9)
    # the folded line of 41 um; an amplitude of height 1 holds lambda/2NA of light
    line = np.fft.fftshift(np.fft.ifft(mirror.transfer(q, 1e4, defocus))).real[n // 2 - 300 : n // 2 + 301]
    held = np.abs(wave) ** 2 * 10e-9 / (wavelength(1e4) / 2 / mirror.numerical_aperture)
    assert np.max(np.abs(line - held)) < 2e-3 * held.max()
    if figure != "0 nm":
        assert held.max() < 0.9 * 10e-9 / (wavelength(1e4) / 2 / mirror.numerical_aperture)


def test_figure_errors_cost_the_peak_what_marechal_and_ruze_say():
    """Strehl ratio exp(-(2 k h sin theta)^2), on the average over mirrors of many correlation lengths."""
    k = 2 * np.pi / wavelength(1e4)
    for rms in (0.5e-9, 1.5e-9):
        settings = {"figure_error": f"{rms!r} m", "figure_correlation": "2 mm"}
        found = np.mean([Mirror(**settings, figure_seed=s).strehl(1e4) for s in range(40)])
        # what is left in the peak after the mean phase: exp(-s^2) + (1 - exp(-s^2)) / independent patches
        ruze = np.exp(-((2 * k * rms * np.sin(3e-3)) ** 2))
        assert found == pytest.approx(ruze, abs=0.03)
        grid = Grid((512, 512), 10e-9)
        bad, good = (
            KirkpatrickBaez(horizontal=Mirror(source_size="0 um", **s), vertical=Mirror(source_size="0 um"))
            for s in (settings, {})
        )
        peak = np.abs(bad.probe(grid, 1e4)[256, 256]) ** 2 / np.abs(good.probe(grid, 1e4)[256, 256]) ** 2
        assert peak == pytest.approx(Mirror(**settings).strehl(1e4), rel=0.01)


def test_a_figure_has_the_stated_rms_its_correlation_and_no_parabola():
    u = (np.arange(4000) + 0.5) / 2000 - 1
    heights = [Mirror(figure_error="2 nm", figure_correlation="1 mm", figure_seed=s).figure(u) for s in range(60)]
    for h in heights[:5]:
        assert np.sqrt(np.mean(h**2)) == pytest.approx(2e-9, rel=1e-3)
        assert np.abs(np.polynomial.Polynomial.fit(u, h, 2)(u)).max() < 1e-12
    lag = int(1e-3 / 0.1 * 4000)  # one correlation length along the 100 mm
    mean = np.mean([np.mean(h[:-lag] * h[lag:]) for h in heights]) / 4e-18
    taken = 3 * np.sqrt(np.pi) * 1e-3 / 0.1  # three of so many independent patches went with the parabola
    assert mean == pytest.approx((np.exp(-1) - taken) / (1 - taken), abs=0.03)
    assert not np.allclose(heights[0], heights[1], atol=1e-10)


def test_a_slope_of_the_figure_moves_the_focus_by_twice_the_slope_times_the_distance():
    """Rays leave at twice the slope of the surface, away from it: the middle of the focus goes 2 q times its mean."""
    mirror = Mirror(source_size="0 um", figure_error="0.2 nm", figure_correlation="40 mm", figure_seed=3)
    ends = mirror.figure(np.array([-1.0, 1.0]))
    moved = 2 * mirror.focal_distance * (ends[1] - ends[0]) / mirror.length
    q = np.array([1e-4 * 2 * np.pi / wavelength(1e4) * mirror.numerical_aperture])
    assert -np.angle(mirror.transfer(q, 1e4)[0]) / q[0] == pytest.approx(moved, rel=2e-3)


def test_unequal_foci_make_an_astigmatic_spot():
    near = Mirror(source_size="0 um", focus_offset="-150 um")
    far = Mirror(source_size="0 um", focus_offset="150 um")
    pair = KirkpatrickBaez(horizontal=far, vertical=near)
    grid = Grid((400, 400), 5e-9)
    down, up = pair.probe_intensity(grid, 1e4, 150e-6), pair.probe_intensity(grid, 1e4, -150e-6)
    assert _width(grid.x, down.sum(axis=0)) == pytest.approx(73.2e-9, rel=0.02)  # the horizontal focus
    assert _width(grid.y, up.sum(axis=1)) == pytest.approx(73.2e-9, rel=0.02)
    assert np.allclose(down, up.T, atol=1e-9 * down.max())
    assert down.sum(axis=1).max() < 0.5 * down.sum(axis=0).max()


def test_a_rhodium_mirror_reflects_what_fresnel_and_nevot_croce_say():
    xraydb = pytest.importorskip("xraydb")
    assert KirkpatrickBaez().reflectivity(1e4) == pytest.approx(0.945**2, abs=0.02)
    for material, density in (("Rh", 12.41), ("Pt", 21.45), ("Si", 2.33)):
        for energy in (6000.0, 1e4, 2e4):
            delta, beta, _ = xraydb.xray_delta_beta(material, density, energy)
            for angle in (1e-3, 3e-3, 6e-3):
                ours = reflectivity(delta, beta, angle, energy)
                theirs = xraydb.mirror_reflectivity(material, angle, energy, density=density)
                assert ours == pytest.approx(float(np.squeeze(theirs)), rel=1e-3)


def test_total_reflection_without_absorption_is_total_and_roughness_only_takes_away_beyond_it():
    assert reflectivity(1e-5, 0.0, 2e-3, 1e4, 1e-9) == pytest.approx(1)
    smooth, rough = (reflectivity(1e-5, 0.0, 8e-3, 1e4, s) for s in (0.0, 0.5e-9))
    assert rough < smooth < 0.02


@pytest.mark.parametrize(
    ("sigma", "inner", "points"), [(0.38, 0.0, 100), (0.5, 0.45, 60), (1.0, 0.0, 333), (0.7, 0.7, 7)]
)
def test_condenser_points_fill_the_ring_evenly(sigma, inner, points):
    directions, weights = Condenser(sigma=sigma, inner=inner, points=points).directions()
    radius = np.hypot(*directions.T)
    assert len(weights) == points
    assert weights.sum() == pytest.approx(1)
    assert radius.max() <= sigma * (1 + 1e-12)
    assert radius.min() >= inner * (1 - 1e-12)
    assert (weights * radius**2).sum() == pytest.approx((sigma**2 + inner**2) / 2)
    assert np.max(np.abs(weights @ directions)) < 0.15 * sigma


def test_no_cone_at_all_is_one_point_and_an_inverted_ring_is_refused():
    directions, weights = Condenser(sigma=0).directions()
    assert directions.tolist() == [[0, 0]]
    assert weights.tolist() == [1]
    with pytest.raises(ValueError, match="inner"):
        Condenser(sigma=0.3, inner=0.4)


def _modulation(half_period: float, points: int = 400, sigma: float = 0.38, defocus: float = 0.0) -> float:
    periods, n = 8, 256
    grid = Grid((n, n), 2 * half_period * periods / n)
    line = (np.arange(n) % (n // periods)) < n // periods // 2
    directions, weights = Condenser(sigma=sigma, points=points).directions()
    image = abbe_image(np.tile(line * 1.0, (n, 1)), grid, ENERGY, MICRO, directions, weights, defocus)[0]
    return float((image.max() - image.min()) / (image.max() + image.min()))


@pytest.mark.parametrize(("half_period", "modulation"), [(15.1e-9, 0.865), (19.5e-9, 0.958)])
def test_opaque_gratings_in_the_microscope_of_the_15_nm_record(half_period, modulation):
    assert _modulation(half_period) == pytest.approx(modulation, abs=0.01)


def test_nothing_passes_beyond_the_cut_off():
    cut = 15e-9 / 1.38
    assert _modulation(0.999 * cut) < 1e-12
    assert _modulation(1.1 * cut) > 0.05


def test_coherent_light_shows_a_resolved_grating_of_three_orders_as_its_fourier_series_says():
    """sigma = 0: only orders 0 and +-1 pass, so I = (1/2 + (2/pi) cos)^2."""
    n = 256  # 32 samples a period: the sampled first order is 1/(32 sin(pi/32)) instead of 1/pi
    first = 1 / (32 * np.sin(np.pi / 32))
    bright, dark = (0.5 + 2 * first) ** 2, 0.0
    got = _modulation(20e-9, points=1, sigma=0.0)
    assert got == pytest.approx((bright - dark) / (bright + dark), abs=0.02)
    assert n == 256


def test_incoherent_light_images_a_weak_grating_with_the_disk_overlap():
    """sigma = 1 and beyond: the modulation transfer of a lens is the overlap of two pupils."""
    n, periods = 128, 6
    half_period = 14e-9
    grid = Grid((n, n), 2 * half_period * periods / n)
    weak = 1 + 0.01 * np.cos(2 * np.pi * np.arange(n) * periods / n)
    directions, weights = Condenser(sigma=1.0, points=4000).directions()
    image = abbe_image(np.tile(weak, (n, 1)), grid, ENERGY, MICRO, directions, weights)[0]
    ratio = 15e-9 / half_period / 2  # spatial frequency over the cut-off 2 NA/lambda
    overlap = 2 / np.pi * (np.arccos(ratio) - ratio * np.sqrt(1 - ratio**2))
    assert (image.max() - image.min()) / 0.04 == pytest.approx(overlap, abs=0.01)


@pytest.mark.parametrize("shape", [(64, 64), (80, 60), (255, 128)])
def test_the_windowed_sum_is_abbes_sum_on_the_full_grid(shape):
    grid = Grid(shape, 3e-9)
    rng = np.random.default_rng(3)
    wave = np.exp(1j * rng.normal(size=shape)) * rng.random(shape)
    directions, weights = Condenser(sigma=0.7, points=20).directions()
    got = abbe_image(wave, grid, ENERGY, MICRO, directions, weights, defocus=2e-7)
    qy, qx = grid.frequencies()
    radius = np.pi / 15e-9
    spectrum = np.fft.fft2(wave)
    want = sum(
        weight * np.abs(np.fft.ifft2(spectrum * MICRO.pupil_at(qx + radius * sx, qy + radius * sy, ENERGY, 2e-7))) ** 2
        for (sx, sy), weight in zip(directions, weights, strict=True)
    )
    assert np.max(np.abs(got - want)) < 1e-12
    as_function = abbe_image(lambda tilt: wave, grid, ENERGY, MICRO, directions, weights, defocus=2e-7)
    assert np.array_equal(as_function, got)


def test_an_empty_field_is_as_bright_as_the_light_whatever_the_cone():
    grid = Grid((64, 64), 3e-9)
    for condenser in (Condenser(), Condenser(sigma=1.0), Condenser(sigma=0.0), Condenser(sigma=0.9, inner=0.5)):
        image = abbe_image(np.ones(grid.shape), grid, ENERGY, MICRO, *condenser.directions())
        assert np.allclose(image, 1, atol=1e-12)
    dark = abbe_image(np.ones(grid.shape), grid, ENERGY, MICRO, *Condenser(sigma=1.4, inner=1.1).directions())
    assert np.max(dark) < 1e-20


def test_images_on_too_coarse_a_grid_are_refused():
    with pytest.raises(SamplingError, match=r"7\.5e-09 m"):
        abbe_image(np.ones((64, 64)), Grid((64, 64), 8e-9), ENERGY, MICRO, *Condenser().directions())


@pytest.mark.parametrize("fresnel_number", [0.8, 2.0, 3.7])
def test_behind_a_pinhole_the_axis_flickers_as_four_sine_squared(fresnel_number):
    hole = Pinhole(diameter="1 um", distance=f"{0.25e-12 / (wavelength(ENERGY) * fresnel_number)} m")
    assert hole.fresnel_number(ENERGY) == pytest.approx(fresnel_number)
    grid = Grid((64, 64), 20e-9)
    amplitude = hole.amplitude(grid, ENERGY)
    assert np.abs(amplitude[32, 32]) ** 2 == pytest.approx(4 * np.sin(np.pi * fresnel_number / 2) ** 2, rel=1e-9)


def test_a_window_that_loses_much_of_the_light_is_named():
    hole = Pinhole(diameter="1 um", distance="5 mm")
    with pytest.warns(SamplingWarning, match="larger grid"):
        hole.probe(Grid((64, 64), 50e-9), ENERGY)


def test_far_behind_a_pinhole_lies_airys_pattern():
    hole = Pinhole(diameter="1 um", distance="20 mm")
    n = 128
    grid = Grid((n, n), 1e-6)
    line = np.abs(hole.probe(grid, ENERGY)[n // 2]) ** 2
    v = np.pi * grid.x * 1e-6 / (wavelength(ENERGY) * 20e-3)
    exact = np.where(v == 0, 1, 2 * j1(v) / np.where(v == 0, 1, v)) ** 2
    assert np.max(np.abs(line / line.max() - exact)) < 2e-3


def test_a_pinhole_agrees_with_the_angular_spectrum():
    n = 512
    grid = Grid((n, n), 10e-9)
    z = 2e-5
    r = np.hypot(grid.x[None, :], grid.y[:, None])
    wave = np.clip((5e-7 - r) / grid.pixel + 0.5, 0, 1).astype(complex)
    want = propagate(wave, grid, ENERGY, z, paraxial=True)
    got = Pinhole(diameter="1 um", distance=f"{z} m").probe(grid, ENERGY)
    overlap = np.vdot(want, got) / np.linalg.norm(want)
    assert overlap.real == pytest.approx(1, abs=5e-3)


def test_pinholes_on_wrong_grids_are_refused():
    with pytest.raises(SamplingError, match="smaller than the pinhole"):
        Pinhole(diameter="2 um").probe(Grid((64, 64), 10e-9), ENERGY)
    with pytest.raises(SamplingError, match="fringes"):
        Pinhole(diameter="2 um", distance="10 um").probe(Grid((64, 64), 100e-9), ENERGY)
    with pytest.raises(RangeError, match="Fresnel number"):
        Pinhole(diameter="20 um", distance="70 um").probe(Grid((410, 410), 5e-8), 8000.0)
