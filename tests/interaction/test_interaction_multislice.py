"""Multislice, projection and Born against Mie theory, closed forms and each other."""

from __future__ import annotations

import math
import pickle
from dataclasses import dataclass
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

from xsim.constants import wavelength, wavenumber
from xsim.errors import RangeError, SamplingError
from xsim.interaction import born, multislice, validity
from xsim.interaction._cis import exponentials
from xsim.interaction.transmission import phase_and_loss, transmission
from xsim.matter.library import find
from xsim.optics.condenser import Condenser
from xsim.optics.imaging import abbe_image
from xsim.optics.zone_plate import ZonePlate
from xsim.specimen.specimen import Specimen
from xsim.threads import use_threads as threads
from xsim.waves.angular_spectrum import propagate
from xsim.waves.far_field import scattered_amplitude, scattering_vectors
from xsim.waves.grid import Grid


@dataclass(frozen=True)
class Stuff:
    """A material of explicit index 1 - delta + i beta."""

    delta: float
    beta: float

    def optics(self, energy: float) -> SimpleNamespace:
        return SimpleNamespace(delta=self.delta, beta=self.beta, decrement=complex(self.delta, -self.beta))


def sphere_slabs(grid: Grid, radius: float, edges: np.ndarray, fine: int = 4) -> list[np.ndarray]:
    """Thickness of a sphere in each slab, by fine x fine samples a pixel."""
    ny, nx = grid.shape
    offsets = ((np.arange(fine) + 0.5) / fine - 0.5) * grid.pixel
    x, y = (grid.x[:, None] + offsets).ravel(), (grid.y[:, None] + offsets).ravel()
    half = np.sqrt(np.maximum(radius**2 - x[None, :] ** 2 - y[:, None] ** 2, 0))
    maps = []
    for low, high in pairwise(edges):
        chord = np.maximum(np.minimum(half, high) - np.maximum(-half, low), 0)
        maps.append(chord.reshape(ny, fine, nx, fine).mean((1, 3)))
    return maps


AU = {"radius": 25e-9, "energy": 500.0, "stuff": Stuff(5.834e-3, 4.667e-3), "pixel": 1e-9, "slabs": 8}
PS = {"radius": 2.5e-6, "energy": 2000.0, "stuff": Stuff(5.991e-5, 1.324e-6), "pixel": 40e-9, "slabs": 4}
#: extinction and absorption efficiencies, forward |f|^2 [m^2/sr]
PUBLISHED = {"Au": (0.79675, 0.52113, 1.5694e5 * 1e-18), "PS": (2.6774, None, 2.2226e15 * 1e-18)}


def _sphere(radius, energy, stuff, pixel, slabs, n=200, dtype=np.complex128):
    grid = Grid((n, n), pixel)
    edges = np.linspace(-radius, radius, slabs + 1)
    cut = multislice.from_maps([{stuff: t} for t in sphere_slabs(grid, radius, edges)], grid, edges, np.float64)
    wave = multislice.exit_wave(cut, 1.0, energy, planes=(0.0, 0.0), dtype=dtype)
    f = scattered_amplitude(wave, grid, energy)[n // 2, n // 2]
    area = np.pi * radius**2
    extinction = 4 * np.pi / wavenumber(energy) * f.imag / area
    absorption = np.sum(1 - np.abs(wave) ** 2) * pixel**2 / area
    return extinction, absorption, abs(f) ** 2


def _mie(radius, energy, stuff, **_):
    miepython = pytest.importorskip("miepython")
    index, size = complex(1 - stuff.delta, -stuff.beta), wavenumber(energy) * radius
    extinction, scattering = miepython.efficiencies_mx(index, size)[:2]
    s1, _ = miepython.S1_S2(index, size, np.array([1.0]), norm="wiscombe")
    return extinction, extinction - scattering, abs(s1[0]) ** 2 / wavenumber(energy) ** 2


@pytest.mark.parametrize("name", ["Au", "PS"])
def test_mie_theory_gives_the_reference_numbers(name):
    got = _mie(**{"Au": AU, "PS": PS}[name])
    for value, reference in zip(got, PUBLISHED[name], strict=True):
        assert reference is None or value == pytest.approx(reference, rel=1e-4)


@pytest.mark.parametrize(
    "case",
    [
        AU,
        PS,
        {**AU, "stuff": Stuff(2e-3, 1e-3), "energy": 900.0},
        {**PS, "radius": 1.5e-6, "energy": 1200.0, "pixel": 25e-9},
    ],
)
def test_multislice_of_a_sphere_agrees_with_mie_theory_to_half_a_percent(case):
    for got, mie in zip(_sphere(**case), _mie(**case), strict=True):
        assert got == pytest.approx(mie, rel=0.005)


@pytest.mark.parametrize("case", [AU, PS])
def test_the_projection_of_a_sphere_agrees_with_mie_theory_to_1_6_percent(case):
    for got, mie in zip(_sphere(**{**case, "slabs": 1}), _mie(**case), strict=True):
        assert got == pytest.approx(mie, rel=0.016)


def test_the_born_approximation_is_far_off_for_the_gold_sphere():
    volume = 4 / 3 * np.pi * AU["radius"] ** 3
    f = wavenumber(AU["energy"]) ** 2 / (2 * np.pi) * complex(-AU["stuff"].delta, AU["stuff"].beta) * volume
    assert abs(f) ** 2 / _mie(**AU)[2] - 1 == pytest.approx(0.59, abs=0.02)


def test_single_precision_is_good_to_a_few_parts_in_a_million():
    double, single = _sphere(**AU), _sphere(**AU, dtype=np.complex64)
    assert single[1] == pytest.approx(double[1], rel=2e-5)


def _random_slabs(n=64, slabs=6, uniform=0.0, dtype=np.float64, seed=0, cut=1e-3):
    rng = np.random.default_rng(seed)
    grid = Grid((n, n), 10e-9)
    a, b = Stuff(1e-3, 1e-4), Stuff(2e-4, 3e-5)
    bumps = np.exp(-(grid.x[None, :] ** 2 + grid.y[:, None] ** 2) / (8e-8) ** 2)
    bumps[bumps < cut] = 0
    maps = [
        {a: rng.random() * 2e-7 * np.roll(bumps, rng.integers(-5, 5, 2), (0, 1)), b: np.full((n, n), uniform)}
        for _ in range(slabs)
    ]
    for m in maps:
        m[b] = m[b] - m[a] * (uniform > 0)
    return multislice.from_maps(maps, grid, np.linspace(0, 3e-6, slabs + 1), dtype), maps, grid


def test_each_slab_multiplies_and_free_flight_joins_them():
    cut, maps, grid = _random_slabs()
    energy, dz = 700.0, 0.5e-6
    wave = np.ones(grid.shape, complex)
    for m in maps:
        wave = propagate(wave, grid, energy, dz / 2) * transmission(m, energy, np.complex128)
        wave = propagate(wave, grid, energy, dz / 2)
    assert np.max(np.abs(multislice.exit_wave(cut, 1.0, energy, dtype=np.complex128) - wave)) < 1e-12
    single = multislice.exit_wave(cut, 1.0, energy)
    assert single.dtype == np.complex64
    assert np.linalg.norm(single - wave) < 3e-6 * np.linalg.norm(wave)


def test_uniform_layers_only_multiply_and_empty_slabs_are_free():
    energy = 700.0
    bare, _, grid = _random_slabs()
    hosted, maps, _ = _random_slabs(uniform=5e-7)
    assert all(len(s.materials) == 2 for s in hosted.slabs)
    layer = multislice.from_maps([{Stuff(1e-3, 1e-4): np.full(grid.shape, 1e-6)}] * 5, grid, np.linspace(0, 5e-6, 6))
    assert not layer.slabs
    k = wavenumber(energy)
    wave = multislice.exit_wave(layer, 1.0, energy, dtype=np.complex128)
    assert np.allclose(wave, np.exp(-1j * k * complex(1e-3, -1e-4) * 5e-6), atol=1e-14)
    # host and displaced host together equal the explicit slab-by-slab product
    want = np.ones(grid.shape, complex)
    for m in maps:
        want = propagate(want, grid, energy, 2.5e-7) * transmission(m, energy, np.complex128)
        want = propagate(want, grid, energy, 2.5e-7)
    got = multislice.exit_wave(hosted, 1.0, energy, dtype=np.complex128)
    assert np.max(np.abs(got - want)) < 1e-11
    assert bare.count == 6


def test_slabs_add_up_to_the_projection_and_survive_pickling():
    cut, maps, _ = _random_slabs(uniform=5e-7)
    again = pickle.loads(pickle.dumps(cut))
    for material, total in again.thickness().items():
        assert np.allclose(total, sum(m[material] for m in maps), atol=1e-18)
    assert again.nbytes < 6 * 2 * 64 * 64 * 8 / 2  # cropped to the bumps


def test_pure_phase_slabs_keep_every_photon():
    rng = np.random.default_rng(0)
    grid = Grid((64, 64), 10e-9)
    stuff = Stuff(1e-3, 0.0)
    maps = [{stuff: rng.random(grid.shape) * 1e-7} for _ in range(5)]
    cut = multislice.from_maps(maps, grid, np.linspace(0, 1e-6, 6), np.float64)
    wave = multislice.exit_wave(cut, 1.0, 700.0, dtype=np.complex128)
    assert np.sum(np.abs(wave) ** 2) == pytest.approx(64 * 64, rel=1e-12)
    single = multislice.exit_wave(cut, 1.0, 700.0)
    assert np.sum(np.abs(single.astype(complex)) ** 2) == pytest.approx(64 * 64, rel=1e-5)


def test_a_tilted_wave_is_the_plane_wave_with_its_carrier_divided_out():
    cut, _, grid = _random_slabs(cut=0.0)
    energy = 700.0
    _, qx = grid.frequencies()
    tilt = float(qx[0, 5])
    carrier = np.exp(1j * tilt * grid.x)[None, :] * np.ones((64, 1))
    explicit = multislice.exit_wave(cut, carrier, energy, dtype=np.complex128)
    periodic = multislice.exit_wave(cut, 1.0, energy, tilt=(tilt, 0.0), dtype=np.complex128)
    # what is left are frequencies at the edge of the band, where the bumps have 1e-8 of their strength
    assert np.max(np.abs(periodic * carrier - explicit)) < 1e-7


def test_batches_threads_and_the_narrow_band_change_nothing_they_should_not():
    cut, _, grid = _random_slabs()
    rng = np.random.default_rng(1)
    waves = (rng.normal(size=(3, 64, 64)) + 1j).astype(np.complex64)
    together = multislice.exit_wave(cut, waves, 700.0)
    assert np.array_equal(together[1], multislice.exit_wave(cut, waves[1], 700.0))
    with threads(1):
        assert np.array_equal(together, multislice.exit_wave(cut, waves, 700.0))
    smooth = multislice.exit_wave(cut, 1.0, 700.0, dtype=np.complex128)
    banded = multislice.exit_wave(cut, 1.0, 700.0, band=2 / 3, dtype=np.complex128)
    spectrum = np.abs(np.fft.fft2(banded))
    qy, qx = grid.frequencies()
    assert spectrum[np.broadcast_to(np.hypot(qx, qy) > 2 / 3 * np.pi / grid.pixel, spectrum.shape)].max() < 1e-9
    assert np.max(np.abs(smooth - banded)) < 2e-3


@pytest.mark.parametrize("band", [1.0, 2 / 3])
def test_a_wave_of_many_blocks_is_the_plain_recipe_on_any_number_of_threads(band):
    rng = np.random.default_rng(0)
    grid, energy, edges = Grid((300, 410), 10e-9), 700.0, np.linspace(0, 3e-6, 6)
    a, b = Stuff(1e-3, 1e-4), Stuff(2e-4, 3e-5)
    maps = [{a: rng.random(grid.shape) * 1e-7, b: rng.random(grid.shape) * 1e-7} for _ in range(5)]
    for m in maps[1:]:
        for t in m.values():
            t[:, :3] = t[:7] = 0
    cut = multislice.from_maps(maps, grid, edges, np.float64)
    incident = (rng.normal(size=(2, *grid.shape)) + 1j).astype(np.complex64)
    results = []
    for count in (1, 2, 3):
        with threads(count):
            results.append(multislice.exit_wave(cut, incident, energy, band=band))
    assert np.array_equal(results[0], results[1])
    assert np.array_equal(results[0], results[2])
    wave, z = incident.astype(complex), 0.0
    for m, middle in zip(maps, (edges[1:] + edges[:-1]) / 2, strict=True):
        wave = propagate(wave, grid, energy, middle - z, band=band) * transmission(m, energy, np.complex128)
        z = middle
    wave = propagate(wave, grid, energy, edges[-1] - z, band=band)
    assert np.max(np.abs(results[0] - wave)) < 3e-6 * np.abs(wave).max()
    double = multislice.exit_wave(cut, incident, energy, band=band, dtype=np.complex128)
    assert np.max(np.abs(double - wave)) < 1e-12


def test_after_64_slabs_single_precision_differs_by_less_than_2e_6():
    rng = np.random.default_rng(0)
    grid = Grid((252, 252), 5e-9)  # not a power of two, so that no factor of a transform is exact
    one, two = Stuff(1e-3, 1e-4), Stuff(2e-4, 1e-5)
    maps = ({one: rng.random(grid.shape) * 30e-9, two: rng.random(grid.shape) * 10e-9} for _ in range(64))
    cut = multislice.from_maps(maps, grid, np.linspace(0, 1.6e-6, 65), np.float64)
    single, double = (multislice.exit_wave(cut, 1.0, 800.0, dtype=dtype) for dtype in (np.complex64, np.complex128))
    assert np.linalg.norm(single - double) < 2e-6 * np.linalg.norm(double)
    photons = [float(np.sum(np.abs(wave.astype(complex)) ** 2)) for wave in (single, double)]
    assert photons[0] == pytest.approx(photons[1], rel=4e-6)  # twice that of the amplitude


@pytest.mark.parametrize("size", [1.0, 30.0, 3000.0])
def test_the_compiled_exponential_is_good_to_single_precision(size):
    rng = np.random.default_rng(0)
    quarters = rng.uniform(-size, size, 10000).astype(np.float32)
    octaves = rng.uniform(-40, 20, 10000).astype(np.float32)
    exact = np.exp2(octaves.astype(float)) * np.exp(0.5j * np.pi * quarters.astype(float))
    exponentials(quarters, octaves)
    assert np.max(np.abs(quarters + 1j * octaves - exact) / np.abs(exact)) < 2e-7


def test_a_specimen_too_thick_for_the_grid_is_refused():
    grid = Grid((32, 32), 2e-9)
    cut = multislice.from_maps([{Stuff(1e-3, 0): np.eye(32) * 1e-7}], grid, np.array([0.0, 1e-3]))
    with pytest.raises(SamplingError, match="too long"):
        multislice.exit_wave(cut, 1.0, 700.0)


SPECIMEN = {
    "extent": ["800 nm", "800 nm"],
    "layers": [{"material": "vitreous_ice", "thickness": "600 nm"}],
    "population": [
        {"name": "balls", "material": "polystyrene", "shape": {"kind": "sphere", "radius": "40 nm"}, "count": 6,
         "placement": {"kind": "random", "minimum_gap": "5 nm"}},
    ],
}  # fmt: skip


def test_a_specimen_is_cut_into_slabs_that_add_up():
    specimen = Specimen.from_table(SPECIMEN, seed=3)
    grid = Grid((128, 128), 8e-9)
    cut = multislice.sample(specimen, grid, 6)
    whole = specimen.thickness(grid)
    for material, total in cut.thickness().items():
        assert np.max(np.abs(total - whole[material])) < 1e-6 * 600e-9
    assert cut.nbytes < 6 * 2 * 128 * 128 * 4
    with pytest.raises(RangeError):
        multislice.sample(specimen, grid, 0)
    one = multislice.exit_wave(
        multislice.sample(specimen, grid, 1), 1.0, 3000.0, planes=(0.0, 0.0), dtype=np.complex128
    )
    thin = transmission(whole, 3000.0, np.complex128)
    assert np.max(np.abs(one - thin)) < 1e-6


@pytest.mark.parametrize("slabs", [1, 8])
def test_born_and_exit_wave_agree_where_both_hold(slabs):
    """Weak particles at 12 keV: the Born amplitude is the Fourier transform of the exit wave's change."""
    population = {**SPECIMEN["population"][0], "placement": {"kind": "random", "z": ["-300 nm", "300 nm"]}}
    specimen = Specimen.from_table({**SPECIMEN, "layers": [], "population": [population]}, seed=3)
    energy, n, distance = 12000.0, 512, 1.0
    grid = Grid((n, n), 2.5e-9)
    wave = multislice.exit_wave(
        multislice.sample(specimen, grid, slabs, np.float64), 1.0, energy, planes=(0.0, 0.0), dtype=np.complex128
    )
    f = scattered_amplitude(wave, grid, energy)
    pitch = wavelength(energy) * distance / (n * grid.pixel)
    q, omega = scattering_vectors(grid.shape, pitch, distance, energy)
    exact = born.far_field(specimen, q, energy)
    middle = slice(n // 2 - 20, n // 2 + 20)
    error = np.linalg.norm((f - exact)[middle, middle]) / np.linalg.norm(exact[middle, middle])
    assert error < 0.01  # Born itself 0.4 %, the Ewald sphere's curvature within the single slab up to 1 %
    assert validity.ladder(specimen, energy, 20e-9).model == "born"
    counts = born.photons(exact, omega, 1e20)
    assert counts[n // 2, n // 2] == pytest.approx(1e20 * abs(exact[n // 2, n // 2]) ** 2 * (pitch / distance) ** 2)


def test_the_projection_limit_has_its_published_values():
    assert validity.projection_limit(520.0, 10e-9) == pytest.approx(0.17e-6, rel=0.02)
    assert validity.projection_limit(8000.0, 10e-9) == pytest.approx(2.6e-6, rel=0.02)
    assert validity.slabs_for(0.16e-6, 520.0, 10e-9) == 1
    assert validity.slabs_for(1.0e-6, 520.0, 10e-9) == 25
    assert validity.slabs_for(0.16e-6, 520.0, 10e-9, error=0.01) == 9


@pytest.mark.parametrize("error", [0.2, 0.05, 0.01])
def test_slabs_keep_the_error_they_are_cut_for(error):
    """A deep weak grating: the converged first order against slabs of the thickness that the rule gives."""
    energy, d, n = 520.0, 20e-9, 64
    grid, stuff = Grid((n, n), d / 2), Stuff(1e-7, 0.0)
    depth = 3.5 * 4 * d**2 / wavelength(energy)  # a maximum of what it diffracts, sin^2(kappa depth/2)
    line = (1 + np.cos(np.pi * grid.x / d))[None, :] * np.ones((n, 1)) / 2

    def first_order(slabs):
        maps = [{stuff: line * depth / slabs}] * slabs
        cut = multislice.from_maps(maps, grid, np.linspace(0, depth, slabs + 1), np.float64)
        return abs(np.fft.fft2(multislice.exit_wave(cut, 1.0, energy, dtype=np.complex128))[0, n // 4]) ** 2

    slabs = math.ceil(depth / validity.slab_thickness(energy, d, error))
    wrong = first_order(slabs) / first_order(400) - 1
    assert validity.slab_error(depth / slabs, energy, d) <= error
    told = 1 / (1 - validity.slab_error(depth / slabs, energy, d)) - 1
    assert wrong == pytest.approx(told, rel=0.02, abs=2e-4)
    assert wrong < 1.3 * error


def test_the_error_of_slabs_has_its_closed_form():
    unit = (40e-9) ** 2 / wavelength(700.0)
    for times, error in ((4, 1 - (2 / np.pi) ** 2), (2, 1 - 8 / np.pi**2), (0.5, 0.0128)):
        assert validity.slab_error(times * unit, 700.0, 40e-9) == pytest.approx(error, rel=0.01)
    assert validity.slab_thickness(700.0, 40e-9, 0.01) == pytest.approx(0.441 * unit, rel=0.01)
    with pytest.raises(RangeError):
        validity.slab_thickness(700.0, 40e-9, 0.0)


def test_the_number_of_slabs_follows_the_structured_depth_only():
    thick_ice = {**SPECIMEN, "layers": [{"material": "vitreous_ice", "thickness": "5 um"}], "population": []}
    assert multislice.required_slabs(Specimen.from_table(thick_ice), 520.0, 10e-9) == 1
    specimen = Specimen.from_table(SPECIMEN, seed=3)
    assert multislice.required_slabs(specimen, 520.0, 10e-9) > 4
    assert multislice.required_slabs(specimen, 8000.0, 30e-9) == 1
    ladder = validity.ladder(specimen, 520.0, 10e-9)
    assert ladder.model == "multislice"
    assert ladder.thinness > 1


def test_the_projection_shows_no_null_where_two_layers_cancel():
    """Two weak gratings a gap L apart vanish at period sqrt(lambda L); multislice shows it, the projection does not."""
    energy, gap, n = 520.0, 10e-6, 128
    period = np.sqrt(wavelength(energy) * gap)
    grid = Grid((n, n), 16 * period / n)
    stuff = Stuff(1e-4, 0.0)
    line = 2e-9 * (1 + np.cos(2 * np.pi * grid.x / period))[None, :] * np.ones((n, 1))
    nothing = {stuff: np.zeros(grid.shape)}
    maps = [{stuff: line}, *[nothing] * 9, {stuff: line}]
    edges = np.linspace(-0.5e-6, 10.5e-6, 12)
    cut = multislice.from_maps(maps, grid, edges, np.float64)
    assert len(cut.slabs) == 2
    wave = multislice.exit_wave(cut, 1.0, energy, planes=(0.0, 10e-6), dtype=np.complex128)
    thin = transmission(cut.thickness(), energy, np.complex128)
    ratio = np.abs(np.fft.fft2(wave)[0, 16] / np.fft.fft2(thin)[0, 16])
    assert ratio < 5e-3


def test_a_thick_specimen_in_the_microscope_blurs_what_is_out_of_focus():
    plate = ZonePlate(outermost_zone="15 nm", diameter="30 um", material="opaque")
    energy, n = 815.0, 128
    grid = Grid((n, n), 6e-9)
    stuff = Stuff(1e-3, 5e-3)
    bars = 1e-7 * ((np.arange(n) // 8) % 2)[None, :] * np.ones((n, 1))
    light = Condenser(points=20).directions()

    def contrast(height: float) -> float:
        edges = np.array([height - 1e-8, height + 1e-8])
        cut = multislice.from_maps([{stuff: bars}], grid, edges, np.float64)
        image = abbe_image(
            lambda tilt: multislice.exit_wave(cut, 1.0, energy, tilt=tilt, planes=(height, 0.0), dtype=np.complex128),
            grid, energy, plate, *light,
        )  # fmt: skip
        return float(np.ptp(image[0]))

    thin = abbe_image(transmission({stuff: bars}, energy, np.complex128), grid, energy, plate, *light)
    assert contrast(0.0) == pytest.approx(float(np.ptp(thin[0])), rel=1e-9)
    moved = abbe_image(transmission({stuff: bars}, energy, np.complex128), grid, energy, plate, *light, defocus=1e-6)
    assert contrast(-1e-6) == pytest.approx(float(np.ptp(moved[0])), rel=1e-6)
    assert contrast(-1e-6) < 0.9 * contrast(0.0)


def test_transmission_obeys_beer_and_its_phase_lags():
    gold = find("gold")
    t = np.array([[0.0, 50e-9]])
    wave = transmission({gold: t}, 2000.0, np.complex128)
    optics = gold.optics(2000.0)
    assert abs(wave[0, 1]) ** 2 == pytest.approx(float(np.exp(-optics.mu_total * 50e-9)), rel=1e-6)
    assert np.angle(wave[0, 1]) == pytest.approx(-wavenumber(2000.0) * float(optics.delta) * 50e-9)
    assert wave[0, 0] == 1
    assert transmission({}, 2000.0) == 1
    phase, loss = phase_and_loss({gold: t, find("silicon"): t}, 2000.0)
    assert np.allclose(transmission({gold: t, find("silicon"): t}, 2000.0), np.exp(-1j * phase - loss), atol=1e-6)
