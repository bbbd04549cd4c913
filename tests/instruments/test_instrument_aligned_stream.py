"""A stream of aligned molecules: closed forms of alignment, limits of its pattern, and what is refused."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

from xsim.constants import K_B, C
from xsim.errors import RangeError, SamplingWarning, ValidityWarning, XsimWarning
from xsim.instruments.aligned_stream import AlignedStream, Laser
from xsim.interaction.aligned_average import averages, field_harmonics
from xsim.interaction.alignment import Alignment, mean_square_axes, mean_square_cosine, strength
from xsim.interaction.orientation_average import averages as powder
from xsim.interaction.orientation_average import symmetry
from xsim.interaction.polarisability import depolarisation, ellipsoid_polarisability, moments, polarisability
from xsim.specimen.rotations import random_rotations
from xsim.specimen.specimen import Specimen
from xsim.streams import StreamKey, generator

POINTS = np.array([[0.9, 0.1, 1.6], [-1.1, 0.3, -0.4], [0.2, -0.6, -1.9], [0.4, 0.5, 0.3], [-0.5, -0.2, 0.9]]) * 1e-9
RADIUS = float(np.sqrt((POINTS**2).sum(axis=1)).max())


def square(q: Any) -> Any:
    """|sum exp(-i q.r)|^2 of the five points."""
    return np.abs(np.exp(-1j * q @ POINTS.T).sum(axis=-1)) ** 2


def rod(**changes: Any) -> Specimen:
    """One protein ellipsoid of 2 x 2 x 6 nm semi-axes, tilted about x."""
    return Specimen.from_table(
        {
            "extent": ["100 nm", "100 nm"],
            "population": [
                {
                    "name": "rod",
                    "material": "protein",
                    "shape": {"kind": "ellipsoid", "semi_axes": ["2 nm", "2 nm", "6 nm"]},
                    "orientation": {"axis": [1, 0, 0], "angle": "40 deg"},
                    **changes,
                }
            ],
        }
    )


def stream(**changes: Any) -> AlignedStream:
    base = {"distance": "300 mm", "detector": {"kind": "photon_counter", "shape": [48, 48], "pixel": "500 um"}}
    return AlignedStream.model_validate({**base, **changes})


def picture(one: AlignedStream, specimen: Specimen) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", XsimWarning)
        return one.prepare(specimen).pattern(one.energy).picture


@pytest.mark.parametrize(("kappa", "value"), [(1.0, 0.4292), (10.0, 0.8927), (100.0, 0.9899)])
def test_the_mean_square_cosine_of_one_axis_is_dawsons(kappa: float, value: float) -> None:
    assert mean_square_cosine(kappa) == pytest.approx(value, abs=5e-5)
    assert mean_square_axes(np.array([0.0, 0.0, kappa])) == pytest.approx(
        [(1 - mean_square_cosine(kappa)) / 2] * 2 + [mean_square_cosine(kappa)], rel=1e-9
    )


@pytest.mark.parametrize("kappa", [-1000.0, -30.0, -0.9e-3, 0.0, 0.9e-3, 2.0, 1000.0])
def test_the_mean_square_cosine_is_the_integral_over_the_sphere(kappa: float) -> None:
    x, w = np.polynomial.legendre.leggauss(240)
    weight = w * np.exp(kappa * x**2 - max(kappa, 0))
    assert mean_square_cosine(kappa) == pytest.approx(float(weight @ x**2 / weight.sum()), rel=1e-9)


def test_depolarisation_is_osborns_for_a_spheroid_and_a_third_for_a_ball() -> None:
    e = np.sqrt(1 - 1 / 9)
    along = (1 - e**2) / e**2 * (np.log((1 + e) / (1 - e)) / (2 * e) - 1)
    assert depolarisation(np.array([1.0, 1.0, 3.0])) == pytest.approx([(1 - along) / 2, (1 - along) / 2, along])
    assert depolarisation(np.full(3, 7e-9)) == pytest.approx([1 / 3] * 3)
    assert depolarisation(np.array([1.0, 2.0, 5.0])).sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("volume", "axes", "watts"),
    [(np.pi * 9e-9**2 * 300e-9, (9, 9, 150), 7e8), (100e3 * 1.66054e-27 / 1350, (1, 1, 2), 1e12)],
)
def test_a_virus_and_a_protein_align_at_the_intensities_known(volume: float, axes: Any, watts: float) -> None:
    alpha = ellipsoid_polarisability(volume, np.array(axes, float), 1.5)
    needed = 100 * C * K_B * 300 / (2 * np.pi * np.ptp(alpha)) / 1e4
    assert needed == pytest.approx(watts, rel=0.02)
    assert np.ptp(strength(alpha, needed * 1e4, 300.0)) == pytest.approx(100)


def test_the_ellipsoid_of_an_ellipsoid_is_itself_wherever_and_however_it_stands() -> None:
    for specimen in (rod(), rod(placement={"kind": "at", "positions": [["7 nm", "-3 nm", "5 nm"]]})):
        volume, second = moments(specimen)
        assert volume == pytest.approx(4 / 3 * np.pi * 24e-27, rel=1e-9)
        assert np.sqrt(5 * np.linalg.eigvalsh(second)) == pytest.approx([2e-9, 2e-9, 6e-9], rel=1e-5)
        found = polarisability(specimen, 1.6)
        assert found.principal == pytest.approx(
            ellipsoid_polarisability(volume, np.array([2, 2, 6.0]), 1.6)[[2, 0, 0]][::-1]
        )
        assert np.abs(found.axes[2]) == pytest.approx([0, np.sin(np.radians(40)), np.cos(np.radians(40))], abs=1e-6)


@pytest.mark.parametrize("share", [1.0, 0.7, 0.5])
def test_drawn_orientations_have_the_moments_of_their_density(share: float) -> None:
    k = np.array([6.0, 2.0, -1.0])
    one = Alignment(k, share)
    drawn = one.draw(8000, StreamKey(3, "test")) ** 2
    every = random_rotations(60_000, generator(StreamKey(4, "test")))
    weight = np.exp(one.log_density(every) - 6.0)
    mean = np.einsum("n,nij->ij", weight / weight.sum(), every**2)
    error = np.hypot(drawn.std(axis=0) / np.sqrt(8000), every.std() ** 2 * np.sqrt((weight**2).sum()) / weight.sum())
    assert np.all(np.abs(drawn.mean(axis=0) - mean) < 4 * error)
    if share == 1:
        assert np.all(np.abs(drawn.mean(axis=0)[0] - mean_square_axes(k)) < 4 * error[0])


def test_circular_light_aligns_the_short_axis_along_its_beam() -> None:
    drawn = Alignment(np.array([40.0, 40.0, 0.0]), 0.5).draw(2000, StreamKey(1, "test"))
    # exp(20 (R R^T minus the beam)) : the third axis by -20 times the share across the beam
    assert (drawn[:, 2, 2] ** 2).mean() == pytest.approx(mean_square_cosine(20.0), abs=0.004)


@pytest.mark.parametrize("k", [(0.0, 0.0, 12.0), (9.0, 4.0, -3.0), (-15.0, -2.0, 0.0)])
def test_the_mean_pattern_is_that_of_drawn_orientations(k: tuple[float, float, float]) -> None:
    mean = averages(square, RADIUS, 6e9, [np.array(k)])[0]
    turns = Alignment(np.array(k)).draw(6000, StreamKey(1, "test"))
    for q in np.array([[2e9, 0, 0], [4e9, 4e9, 1e9], [0, 5e9, 0]]):
        values = square(q @ turns)
        length = float(np.linalg.norm(q))
        assert mean(length, q[0] / length) == pytest.approx(values.mean(), abs=4 * values.std() / np.sqrt(6000))


def test_without_a_field_the_mean_is_the_powders() -> None:
    mean = averages(square, RADIUS, 6e9, [np.zeros(3)])[0]
    q = np.linspace(0.1e9, 6e9, 20)
    apart = np.sqrt(((POINTS[:, None] - POINTS) ** 2).sum(axis=-1))
    debye = np.sinc(q[:, None, None] * apart / np.pi).sum(axis=(1, 2))
    assert mean(q, np.linspace(-1, 1, 20)) == pytest.approx(debye, rel=2e-4)

    def amplitude(v: Any) -> Any:
        return np.exp(-1j * v @ POINTS.T).sum(axis=-1)

    assert mean(q, 0 * q) == pytest.approx(powder(amplitude, RADIUS, q, symmetry(amplitude, RADIUS))[0], rel=2e-4)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_in_a_strong_field_only_what_stays_free_is_averaged(sign: float) -> None:
    """A long axis points along the field and the rest spins about it; a short one spins in the plane across it too."""
    mean = averages(square, RADIUS, 5e9, [np.array([0.0, 0.0, sign * 1e6])])[0]
    turn = (np.arange(128) + 0.5) * 2 * np.pi / 128
    fields = np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=-1) if sign < 0 else np.eye(3)[2:]
    for q, c in ((3e9, 0.3), (4.7e9, 0.9)):
        found = []
        for u in fields:
            e = np.cross(u, [0.6, 0.0, 0.8])
            e /= np.linalg.norm(e)
            ring = np.cos(turn)[:, None] * e + np.sin(turn)[:, None] * np.cross(u, e)
            found.append(square(q * (c * u + np.sqrt(1 - c**2) * ring)).mean())
        assert mean(q, c) == pytest.approx(np.mean(found), rel=2e-3)


def test_the_field_harmonics_of_a_triaxial_density_are_its_integrals() -> None:
    from scipy.special import sph_harm_y

    k, x, w = np.array([5.0, -2.0, 3.0]), *np.polynomial.legendre.leggauss(60)
    phi = np.arange(120) * np.pi / 60
    s = np.sqrt(1 - x**2)[:, None]
    weight = w[:, None] * np.exp((s * np.cos(phi)) ** 2 * k[0] + (s * np.sin(phi)) ** 2 * k[1] + (x**2 * k[2])[:, None])
    found = field_harmonics(k, 8)
    for degree, m in ((0, 0), (2, 0), (2, 2), (4, 2), (8, 6)):
        harmonic = sph_harm_y(degree, m, np.arccos(x)[:, None], phi).real * np.sqrt(4 * np.pi / (2 * degree + 1))
        assert found[degree // 2, m // 2] == pytest.approx((weight * harmonic).sum() / weight.sum(), abs=1e-10)


def test_linear_light_by_harmonics_and_by_drawn_orientations_agree() -> None:
    specimen = rod()
    linear = picture(stream(laser={"intensity": "1e13 W/cm^2"}), specimen)
    nearly = picture(
        stream(laser={"intensity": "1e13 W/cm^2", "share": 1 - 1e-9}, orientations=800, tolerance=1e-3), specimen
    )
    lit = linear > 1e-2 * linear.max()
    assert np.sqrt(np.mean((nearly[lit] / linear[lit] - 1) ** 2)) < 0.03
    assert nearly[lit].sum() == pytest.approx(linear[lit].sum(), rel=0.02)


def test_a_rod_along_a_strong_field_scatters_across_it_as_if_fixed() -> None:
    strong = {"polarisability": ("1e-24 m^3", "1e-24 m^3", "1e-23 m^3"), "laser": {"intensity": "1e12 W/cm^2"}}
    found = picture(stream(**strong), rod(orientation="aligned"))
    across, along = found[24, 24:], found[24:, 24]
    turned = rod(orientation={"axis": [1, 0, 0], "angle": "90 deg"})
    q = stream().prepare(turned).seen.q(8000.0)
    fixed = np.abs(turned.amplitude(q, 8000.0)) ** 2
    assert across == pytest.approx(fixed[24, 24:], rel=5e-3)
    assert along[:6] == pytest.approx(fixed[24:30, 24], rel=5e-3)


def test_photons_are_molecules_times_their_cross_section_and_the_dose_is_one_passage() -> None:
    one = stream(beam="8 um", width="5 um", density="3e17 1/m^3", flux="2e12 1/s", speed="50 m/s")
    prepared = one.prepare(rod())
    expected = prepared.expose(one.frames()).expected[0, 0]
    assert one.molecules == pytest.approx(3e17 * np.pi / 4 * 25e-12 * 8e-6)
    column = 30
    q = prepared.seen.q(8000.0)[24, column]
    sr = (500e-6 / 0.3) ** 2 * np.cos(np.arctan(6 * 500e-6 / 0.3)) ** 3
    fluence = 2e12 * 60.0 / (np.pi * 16e-12)
    polarised = 1 - (q[0] / (8000 / 1.239841984e-6 * 2 * np.pi)) ** 2
    wanted = one.molecules * fluence * prepared.pattern(8000.0).picture[24, column] * sr * polarised
    assert expected[24, column] == pytest.approx(wanted, rel=1e-3)
    light = prepared.illuminate(one.frames())[0]
    assert light.fluence[0, 0] == pytest.approx(2e12 / (8e-6 * 50.0))


def test_truth_tells_a_finer_resolution_at_more_light_and_times_that_go_as_the_fourth_power() -> None:
    truth = stream(laser={"intensity": "9e11 W/cm^2"}).prepare(rod()).truth()
    limits = truth["alignment_resolution"].values
    assert np.all(np.diff(limits) <= 0)
    assert limits[0] > 2 * limits[-1]
    times = truth["exposure_for_detail"].values
    assert times[0] / times[2] == pytest.approx(4.0**4)
    cold = stream(laser={"intensity": "3e11 W/cm^2"}, temperature="100 K").prepare(rod()).truth()
    assert cold["alignment_resolution"].values == pytest.approx(limits)


def test_what_cannot_be_is_refused_with_its_cure() -> None:
    with pytest.raises(RangeError, match="overlapping molecules"):
        stream(density="1e25 1/m^3").prepare(rod())
    with pytest.warns(ValidityWarning, match="molecules fill"):
        stream(density="5e22 1/m^3").prepare(rod())
    with pytest.raises(RangeError, match="laser field beyond the model"):
        stream(laser={"intensity": "2e13 W/cm^2"}).prepare(rod())
    with pytest.raises(RangeError, match="no molecule"):
        stream().prepare(Specimen())
    with pytest.raises(RangeError, match="no photon reaches"):
        stream(beam_stop="1 m").prepare(rod())
    with pytest.warns(ValidityWarning, match="photons expected"):
        stream(flux="1 1/s").prepare(rod())
    with pytest.raises(ValueError, match="across its beam"):
        Laser.model_validate({"axis": [1, 0, 0], "beam": [1, 0, 0.2]})
    with pytest.warns(SamplingWarning, match="raise orientations"):
        stream(laser={"share": 0.5}, orientations=64).prepare(rod())
