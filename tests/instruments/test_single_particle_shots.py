"""Streams of shots: absolute counts, hits, several particles at once, sizes, modules, and what is refused."""

from __future__ import annotations

import gemmi
import numpy as np
import pytest
from pydantic import ValidationError
from scipy import stats

import xsim
from xsim.constants import R_E
from xsim.errors import RangeError, SamplingWarning, ValidityWarning
from xsim.instruments.single_particle import SingleParticle
from xsim.matter import elements
from xsim.specimen import rotations
from xsim.specimen.specimen import Specimen

A = 1e-10
PROTEIN = {"kind": "atoms", "file": "structures/2cex.pdb"}
BALL = {"kind": "sphere", "radius": "6 nm"}
COUNTER = {"kind": "photon_counter", "shape": (32, 32), "pixel": "1.2 mm"}
LIGHT = {"flux": "1e10 1/s", "exposure_time": "1 s", "focus": "1 um", "detector": COUNTER, "beam_stop": "0 m"}


def body(shape: dict, material: str = "gold", **more: object) -> Specimen:
    return Specimen.from_table({"population": [{"name": "p", "material": material, "shape": shape, **more}]})


@pytest.mark.parametrize("way", ["exact", "lattice"])
def test_photons_are_fluence_times_thomson_times_a_sum_over_atoms_written_here(way: str) -> None:
    """N = N0/A r_e^2 P |sum_j (f0_j + f'_j + i f''_j) exp(i q.r_j)|^2 dOmega."""
    xraylib = pytest.importorskip("xraylib")
    one = SingleParticle(**LIGHT, energy="6 keV", distance="0.1 m", shots=1, amplitude=way, tolerance=1e-4)
    molecule = body(PROTEIN, "protein")
    prepared = one.prepare(molecule)
    found = prepared.expose(one.frames()).expected[0, 0]
    atoms = molecule.populations[0].shape.structure
    turn = rotations.from_quaternion(prepared.truth()["orientation"].values[0])
    where = atoms.positions @ turn.T
    k = 2 * np.pi * 6e3 / 12398.41984e-10
    for row, column in ((16, 20), (10, 5), (30, 30), (3, 17)):
        x, y, z = (column - 16) * 1.2e-3, (row - 16) * 1.2e-3, 0.1
        r = np.sqrt(x * x + y * y + z * z)
        q = k * (np.array([x, y, z]) / r - [0, 0, 1])
        s = np.linalg.norm(q) * A / (4 * np.pi)
        total = tabled = 0j
        for symbol in atoms.composition:
            number = xraylib.SymbolToAtomicNumber(symbol)
            f1, f2 = elements.element(symbol).factors(6000.0)
            fit = gemmi.Element(symbol).it92
            f0 = fit.c + sum(a * np.exp(-b * s * s) for a, b in zip(fit.a, fit.b, strict=True))
            mine = atoms.symbols == symbol
            phases = (atoms.occupancy[mine] * np.exp(1j * (where[mine] @ q))).sum()
            total += (f0 + float(f1) - number + 1j * float(f2)) * phases
            tabled += (xraylib.FF_Rayl(number, s) + float(f1) - number + 1j * float(f2)) * phases
        thomson = 1e10 / (np.pi * 0.25e-12) * R_E**2 * (1 - (x / r) ** 2) * 1.44e-6 * z / r**3
        assert found[row, column] == pytest.approx(thomson * abs(total) ** 2, rel=1e-3)
        assert found[row, column] == pytest.approx(thomson * abs(tabled) ** 2, rel=2e-2)  # another table of f0
    # with the same form factors, to the tolerance of the amplitude
    exact = SingleParticle(**LIGHT, energy="6 keV", distance="0.1 m", shots=1, amplitude="exact")
    np.testing.assert_allclose(found.sum(), exact.prepare(molecule).expose(exact.frames()).expected.sum(), rtol=1e-4)


def test_hits_are_poisson_and_the_truth_names_every_particle() -> None:
    one = SingleParticle(**{**LIGHT, "detector": {**COUNTER, "shape": (8, 8)}}, hits=0.7, shots=600)
    prepared = one.prepare(body(BALL))
    truth = prepared.truth()
    counts = truth["hits"].values
    assert counts.mean() == pytest.approx(0.7, abs=4 * np.sqrt(0.7 / 600))
    seen = np.bincount(np.minimum(counts, 3), minlength=4)
    law = stats.poisson.pmf([0, 1, 2], 0.7)
    assert stats.chisquare(seen, 600 * np.append(law, 1 - law.sum())).pvalue > 1e-3
    assert np.isnan(truth["orientation"].values[counts == 0]).all()
    assert len(truth["hit_shot"].values) == counts.sum() == len(truth["hit_position"].values)
    assert (np.hypot(*truth["hit_position"].values[:, :2].T) <= 0.5e-6).all()
    expected = prepared.expose(one.frames()).expected[:, 0]
    assert (expected[counts == 0] == 0).all()
    alone = expected[counts == 1]
    np.testing.assert_allclose(alone, np.broadcast_to(alone[0], alone.shape), rtol=1e-9)


def test_two_particles_interfere_as_one_specimen_of_both() -> None:
    counter = {"kind": "photon_counter", "shape": (32, 32), "pixel": "50 um"}  # fringes are 100 pixels wide
    light = {**LIGHT, "focus": "60 nm", "detector": counter}
    one = SingleParticle(**light, hits=2.0, shots=40, distance="2 m")
    prepared = one.prepare(body(BALL))
    truth = prepared.truth()
    shot = int(np.flatnonzero(truth["hits"].values == 2)[0])
    mine = truth["hit_shot"].values == shot
    places = [[f"{v!r} m" for v in row] for row in truth["hit_position"].values[mine].tolist()]
    both = body(BALL, placement={"kind": "at", "positions": places})
    fixed = SingleParticle(**light, shots=1, orientation="fixed", distance="2 m")
    together = fixed.prepare(both).expose(fixed.frames()).expected[0, 0]
    found = prepared.expose(one.frames().take(slice(shot, shot + 1))).expected[0, 0]
    np.testing.assert_allclose(found, together, rtol=2e-3, atol=1e-6 * together.max())


def test_sizes_vary_from_shot_to_shot_as_drawn_and_atoms_have_but_one() -> None:
    one = SingleParticle(**LIGHT, shots=300, size={"distribution": "normal", "relative_width": 0.1})
    prepared = one.prepare(body(BALL))
    scale = prepared.truth()["scale"].values
    assert scale.std() == pytest.approx(0.1, rel=4 / np.sqrt(600))
    frames = one.frames()
    shots = prepared.expose(frames.take(slice(0, 2))).expected[:, 0, 16, 16]
    np.testing.assert_allclose(shots[0] / shots[1], (scale[0] / scale[1]) ** 6, rtol=1e-9)
    with pytest.raises(RangeError, match="atoms cannot be scaled"):
        one.prepare(body(PROTEIN, "protein"))


def test_modules_out_of_place_see_what_their_true_places_say() -> None:
    straight = {"kind": "panels", "shape": (20, 20), "pixel": "1 mm", "modules": [{"tile": [20, 20]}]}
    moved = {**straight, "modules": [{"tile": [20, 20], "shift": ["3 mm", "0 m", "50 mm"], "tilt": ["0 deg"] * 3}]}
    light = {**LIGHT, "distance": "0.3 m", "shots": 1, "orientation": "fixed"}
    one = SingleParticle(**{**light, "detector": moved})
    found = one.prepare(body(BALL)).expose(one.frames()).expected[0, 0]
    two = SingleParticle(**{**light, "detector": straight, "distance": "0.35 m"})
    right = two.prepare(body(BALL)).expose(two.frames()).expected[0, 0]
    np.testing.assert_allclose(found[:, :-3], right[:, 3:], rtol=1e-9)
    told = one.geometry()
    assert told["pixel_position_z [m]"] == pytest.approx(0.05 * np.ones((20, 20)))
    assert told["module_number"].shape == (20, 20)


def test_long_streams_leave_the_expectation_and_keep_what_is_true() -> None:
    one = SingleParticle(**LIGHT, shots=5, keep_expected=False)
    run = xsim.simulate(body(BALL), one, seed=3)
    kept = xsim.simulate(body(BALL), SingleParticle(**LIGHT, shots=5), seed=3)
    assert run.expected is None
    np.testing.assert_array_equal(run.counts, kept.counts)
    np.testing.assert_array_equal(run.truth["orientation"].values, kept.truth["orientation"].values)


def test_what_cannot_be_is_refused_and_what_is_doubtful_told_with_limit_and_cure() -> None:
    with pytest.raises(RangeError, match=r"overlapping particles.*fewer hits"):
        SingleParticle(**{**LIGHT, "focus": "30 nm"}, hits=60.0, shots=2).prepare(body(BALL))
    with pytest.raises(ValidationError, match="hits or damage"):
        SingleParticle(pulse={"energy": "1 uJ"}, damage={}, hits=1.0)
    voxels = {"kind": "voxels", "file": "structures/three-lobes.npy", "pitch": "5 nm"}
    with pytest.warns(SamplingWarning, match="finer volume"):
        SingleParticle(**LIGHT, shots=1, distance="50 mm").prepare(body(voxels))
    with pytest.warns(ValidityWarning, match="last gain stage"):
        SingleParticle(**{**LIGHT, "flux": "1e18 1/s", "detector": {"kind": "panels"}}, shots=1).prepare(body(BALL))
    noisy = {"kind": "panels", "stages": [{"gain": 7.0, "noise": 400.0, "top": "900 keV"}]}
    with pytest.warns(ValidityWarning, match=r"read noise of 0\.24 photons.*raise the threshold"):
        SingleParticle(**{**LIGHT, "detector": noisy}, energy="6 keV", shots=1).prepare(body(BALL))
    with pytest.raises(RangeError, match="no photon is expected"):
        xsim.simulate(body(BALL), SingleParticle(**{**LIGHT, "beam_stop": "1 m"}, shots=1))
