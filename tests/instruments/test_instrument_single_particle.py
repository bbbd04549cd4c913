"""Shots at single particles against the sphere's closed form and the laws of rotation."""

from __future__ import annotations

import numpy as np
import pytest

from xsim.errors import SamplingWarning, ValidityWarning
from xsim.instruments.single_particle import SingleParticle
from xsim.specimen.specimen import Specimen


def particle(shape: dict, *, at: tuple[str, str, str] = ("0 nm", "0 nm", "0 nm")) -> Specimen:
    placement = {"kind": "at", "positions": [list(at)]}
    return Specimen.from_table(
        {"population": [{"name": "p", "material": "gold", "shape": shape, "placement": placement}]}
    )


SPHERE = {"kind": "sphere", "radius": "15 nm"}
BOX = {"kind": "box", "sides": ["20 nm", "30 nm", "50 nm"]}
GENTLE = {"flux": "1e10 1/s", "distance": "0.6 m"}


def test_a_sphere_gives_fluence_times_squared_amplitude_times_solid_angle() -> None:
    instrument = SingleParticle(**GENTLE, polarisation=0.0, shots=1)
    body = particle(SPHERE)
    exposure = instrument.prepare(body).expose(instrument.frames())
    k = 2 * np.pi * 8e3 / 1.239841984e-6
    x = 20 * 600e-6
    two_theta = np.arctan(x / 0.6)
    q = 2 * k * np.sin(two_theta / 2)
    o = body.populations[0].material.optics(8e3)
    t = q * 15e-9
    factor = 4 * np.pi * 15e-9**3 * (np.sin(t) - t * np.cos(t)) / t**3
    cross_section = (k**2 / (2 * np.pi)) ** 2 * abs(o.decrement) ** 2 * factor**2
    photons = 1e10 / 120 / (np.pi * 100e-9**2) * cross_section
    photons *= 600e-6**2 * np.cos(two_theta) ** 3 / 0.6**2 * (1 + np.cos(two_theta) ** 2) / 2
    assert exposure.expected[0, 0, 32, 52] == pytest.approx(photons, rel=1e-6)


def test_a_centred_sphere_looks_the_same_in_every_shot_and_is_symmetric() -> None:
    instrument = SingleParticle(**GENTLE, shots=3)
    images = instrument.prepare(particle(SPHERE)).expose(instrument.frames()).expected[:, 0]
    np.testing.assert_allclose(images[1:], np.stack([images[0]] * 2), rtol=1e-9)
    np.testing.assert_allclose(images[0, 1:, 1:], images[0, :0:-1, :0:-1], rtol=1e-9)


def test_orientations_are_uniform_and_follow_from_their_seed_alone() -> None:
    one, same, other = (SingleParticle(shots=4000, orientation_seed=s).orientations() for s in (5, 5, 6))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 0.1
    np.testing.assert_allclose(np.linalg.norm(one, axis=1), 1)
    second_moments = np.einsum("ni,nj->ij", one, one) / len(one)
    # the variance of q_i^2 is 1/16 * 2/3 ... bounded by 3/24 - 1/16; four sigma of 4000 draws
    np.testing.assert_allclose(second_moments, np.eye(4) / 4, atol=4 * np.sqrt(1 / 16 / 4000))


def test_a_shot_at_a_turned_particle_is_a_shot_at_the_particle_described_turned() -> None:
    instrument = SingleParticle(**GENTLE, shots=2)
    body = particle(BOX)
    prepared = instrument.prepare(body)
    frames = instrument.frames()
    images = prepared.expose(frames).expected
    from xsim.specimen import rotations

    turned = body.rotated(rotations.from_quaternion(prepared.met.orientation[1]))
    fixed = SingleParticle(**GENTLE, shots=1, orientation="fixed")
    again = fixed.prepare(turned).expose(fixed.frames()).expected
    np.testing.assert_allclose(images[1], again[0], rtol=1e-9, atol=1e-12 * images.max())
    assert np.abs(images[0] - images[1]).max() > 1e-3 * images.max()


def test_the_orientation_is_kept_with_the_truth_and_not_with_the_frames() -> None:
    instrument = SingleParticle(shots=2)
    assert set(instrument.frames().columns) == {"energy", "time", "shot"}
    assert instrument.prepare(particle(SPHERE)).truth()["orientation"].values.shape == (2, 4)


def test_speckles_finer_than_two_pixels_are_flagged_with_the_distance_that_cures_them() -> None:
    with pytest.warns(SamplingWarning, match=r"limit 2; move the detector to"):
        SingleParticle(**{**GENTLE, "distance": "5 mm"}).prepare(particle(SPHERE))


def test_a_fluence_that_destroys_the_particle_is_flagged() -> None:
    with pytest.warns(ValidityWarning, match="photons absorbed per atom"):
        SingleParticle(flux="1e16 1/s").prepare(particle(SPHERE))


def test_shots_have_the_same_bits_one_at_a_time_as_all_at_once() -> None:
    instrument = SingleParticle(**GENTLE, shots=9)
    positions = [["40 nm", "10 nm", "-30 nm"], ["-50 nm", "-20 nm", "25 nm"]]
    boxes = {"name": "p", "material": "gold", "shape": BOX, "placement": {"kind": "at", "positions": positions}}
    prepared = instrument.prepare(Specimen.from_table({"population": [boxes]}))
    frames = instrument.frames()
    together = prepared.expose(frames).expected
    for shot in range(9):
        alone = prepared.expose(frames.take(slice(shot, shot + 1))).expected
        assert alone.tobytes() == together[shot : shot + 1].tobytes()
