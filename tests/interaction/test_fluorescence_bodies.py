"""Secondary light of bodies against integrals over random points and directions that know nothing of voxels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import qmc

from xsim.instruments.fluorescence import Fluorescence
from xsim.interaction.bodies import answer_of, beside_of
from xsim.interaction.emission import Cone, groups, rates
from xsim.interaction.enhancement import sources
from xsim.interaction.fluorescence import escape, incoming, sample
from xsim.matter import library
from xsim.specimen.specimen import Specimen
from xsim.waves.grid import Grid

CONE = Cone(np.deg2rad(125), 0.05, False)
OUT = np.array(CONE.direction)
#: a spot of a micrometre
WIDE = {axis: {"source_size": "50 um", "angle": "2 mrad", "length": "5 mm"} for axis in ("horizontal", "vertical")}


def ball(material, radius, host=None):
    population = {
        "name": "s", "material": material, "shape": {"kind": "sphere", "radius": f"{1e9 * radius} nm"}, "count": 1,
        "placement": {"kind": "at", "positions": [["0 nm", "0 nm", "0 nm"]]},
    }  # fmt: skip
    table = {"extent": ["100 um", "100 um"], "population": [population]}
    if host:
        table["layers"] = [{"material": host[0], "thickness": f"{1e9 * host[1]} nm"}]
    return Specimen.from_table(table)


def found_by_us(specimen, width, pixels, energy, slabs):
    """Maps (ny, nx) by line: primary photons and those of secondary light in bodies."""
    grid = Grid((pixels, pixels), width / pixels)
    voxels = sample(specimen, grid, slabs, CONE.direction)
    found, beam = groups(voxels.materials, energy, CONE), incoming(voxels, energy)
    more = answer_of(specimen, voxels, grid, found, energy).added(voxels, beam)
    return {
        group.label: (escape(voxels, beam, group.energy, group.made), more[j])
        for j, group in enumerate(g for g in found if g.element)
    }, voxels.materials


def ways(points, along, radius):
    """Metres from points in the sphere to its surface."""
    b = points @ along
    return -b + np.sqrt(b**2 + radius**2 - (points**2).sum(-1))


def mu(material, energy):
    return float(material.optics(energy).mu_total)


def lines_of(material, energy, *names):
    found = groups((material,), energy, CONE)
    return [g for g in found if g.label in names], sources((material,), found, energy)


@pytest.mark.parametrize("radius", [15e-6])
def test_a_sphere_enhances_itself_as_the_exact_integral(radius):
    energy, zns = 15e3, library.find("zinc_sulphide")
    ours, _ = found_by_us(ball("zinc_sulphide", radius), 2.2 * radius, 44, energy, 32)
    u = qmc.Sobol(6, seed=3).random(2**16)
    start = (2 * u[:, :3] - 1) * radius
    inside = (start**2).sum(1) < radius**2
    start, u = start[inside], u[inside]
    cosine, around = 2 * u[:, 3] - 1, 2 * np.pi * u[:, 4]
    sine = np.sqrt(1 - cosine**2)
    flight = np.stack([sine * np.cos(around), sine * np.sin(around), cosine], axis=1)
    into = ways(start, np.array([0.0, 0.0, -1.0]), radius)
    b = (start * flight).sum(1)
    way = -b + np.sqrt(b**2 + radius**2 - (start**2).sum(1))
    landed = start + (u[:, 5] * way)[:, None] * flight
    lit = np.exp(-mu(zns, energy) * into)
    (line,), every = lines_of(zns, energy, "S KL3")
    own = mu(zns, line.energy)
    primary = line.made[0] * np.mean(lit * np.exp(-own * ways(start, OUT, radius)))
    more = sum(
        source.started[0]
        * rates((zns,), [line], source.energy)[0][0]
        * np.mean(
            lit * way * np.exp(-mu(zns, source.energy) * u[:, 5] * way) * np.exp(-own * ways(landed, OUT, radius))
        )
        for source in every
    )
    first, second = ours["S KL3"]
    assert second.sum() / first.sum() == pytest.approx(more / primary, rel=0.05)
    assert more / primary > 0.05


def test_a_particle_in_a_matrix_answers_to_the_light_of_the_matrix():
    # iron's K lines excite chromium; a pencil through the middle of the sphere, and beside it
    energy, thick, radius, slabs = 12e3, 24e-6, 2e-6, 30
    specimen = ball("chromium", radius, host=("iron", thick))
    pixels, width = 60, 24e-6
    ours, _ = found_by_us(specimen, width, pixels, energy, slabs)
    _, second = ours["Cr KL3"]
    iron, chromium = library.find("iron"), library.find("chromium")
    low, high = (float(v) for v in specimen.layers.edges[[0, -1]])
    (line,), _ = lines_of(chromium, energy, "Cr KL3")
    found = groups((iron, chromium), energy, CONE)
    every = sources((iron, chromium), found, energy)
    pitch = width / pixels
    u = qmc.Sobol(6, seed=5).random(2**17)

    def expected(x0):
        """Secondary photons for a pencil of a pixel's width at x0: from the matrix, and from the sphere itself."""
        z = low + u[:, 0] * (high - low)
        start = np.stack([x0 + (u[:, 1] - 0.5) * pitch, (u[:, 2] - 0.5) * pitch, z], axis=1)
        r3 = (2 * u[:, 3:] - 1) * radius
        ok = (r3**2).sum(1) < radius**2
        start, landed, z = start[ok], r3[ok], z[ok]
        apart = landed - start
        r = np.linalg.norm(apart, axis=1)
        d = apart / r[:, None]
        b = (start * d).sum(1)
        root = np.sqrt(np.maximum(b**2 + radius**2 - (start**2).sum(1), 0))
        in_ball = (start**2).sum(1) < radius**2
        entered = np.where(in_ball, 0, np.maximum(-b - root, 0))
        in_chromium = r - entered
        half = np.sqrt(np.maximum(radius**2 - (start[:, :2] ** 2).sum(1), 0))
        before = np.clip(z + half, 0, 2 * half)
        lit = np.exp(-mu(iron, energy) * (z - low - before) - mu(chromium, energy) * before)
        out_cr = ways(landed, OUT, radius)
        exit_fe = (landed[:, 2] - low) / -OUT[2] - out_cr
        leaving = np.exp(-mu(chromium, line.energy) * out_cr - mu(iron, line.energy) * exit_fe)
        total = 0.0
        volume = 4 / 3 * np.pi * radius**3 * (high - low)
        for source in every:
            tau = mu(iron, source.energy) * entered + mu(chromium, source.energy) * in_chromium
            y = rates((chromium,), [line], source.energy)[0][0]
            start_rate = np.where(in_ball, source.started[1], source.started[0])
            total += (
                y * volume * np.mean(start_rate * lit * np.exp(-tau) / (4 * np.pi * np.maximum(r, 1e-9) ** 2) * leaving)
            )
        return total

    middle = pixels // 2
    for cell, tolerance in ((0, 0.12), (3, 0.1), (9, 0.04), (15, 0.04)):
        x0 = cell * pitch
        want = expected(x0)
        assert second[middle, middle + cell] == pytest.approx(want, rel=tolerance)


def test_a_box_cut_into_cells_of_its_own_enhances_itself_as_the_exact_integral():
    energy, zns, side = 15e3, library.find("zinc_sulphide"), np.array([10e-6, 10e-6, 6e-6])
    edges = [f"{1e9 * value} nm" for value in side]
    population = {
        "name": "b", "material": "zinc_sulphide", "shape": {"kind": "box", "sides": edges}, "count": 1,
        "placement": {"kind": "at", "positions": [["0 nm", "0 nm", "0 nm"]]},
    }  # fmt: skip
    specimen = Specimen.from_table({"extent": ["100 um", "100 um"], "population": [population]})
    beside = beside_of(specimen, 24, energy, CONE, (-2e-6, 2e-6, -2e-6, 2e-6))
    ours = beside.maps["S KL3"].sum() * beside.grid.pixel**2
    u = qmc.Sobol(6, seed=4).random(2**16)
    start = (u[:, :3] - 0.5) * side
    cosine, around = 2 * u[:, 3] - 1, 2 * np.pi * u[:, 4]
    sine = np.sqrt(1 - cosine**2)
    flight = np.stack([sine * np.cos(around), sine * np.sin(around), cosine], axis=1)

    def leave(points, along):
        return np.min((np.where(along > 0, side / 2, -side / 2) - points) / along, axis=1)

    way = leave(start, flight)
    landed = start + (u[:, 5] * way)[:, None] * flight
    lit = np.exp(-mu(zns, energy) * (start[:, 2] + side[2] / 2))
    (line,), every = lines_of(zns, energy, "S KL3")
    out = np.exp(-mu(zns, line.energy) * leave(landed, OUT + np.array([0, 1e-12, 0])))
    want = side.prod() * sum(
        source.started[0]
        * rates((zns,), [line], source.energy)[0][0]
        * np.mean(lit * way * np.exp(-mu(zns, source.energy) * u[:, 5] * way) * out)
        for source in every
    )
    assert ours == pytest.approx(want, rel=0.05)


def test_small_particles_and_the_knob_leave_it_out():
    specimen, grid = ball("gold", 10e-9), Grid((8, 8), 4e-9)
    voxels = sample(specimen, grid, 4, CONE.direction)
    assert answer_of(specimen, voxels, grid, groups(voxels.materials, 15e3, CONE), 15e3) is None
    knobs = {"field": ("2 um", "2 um"), "step": "1 um", "energy": "15 keV", "slabs": 8, "mirrors": WIDE}
    sulphur = [
        Fluorescence(**knobs, secondary=on).prepare(ball("zinc_sulphide", 4e-6)).truth()["line_S_K"].values.max()
        for on in (True, False)
    ]
    assert 1.05 < sulphur[0] / sulphur[1] < 1.2
