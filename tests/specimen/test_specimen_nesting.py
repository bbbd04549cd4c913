"""Any shape may sit in any other, under any tilt and in the thinnest slab, without displacing more than there is."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from xsim.matter import library
from xsim.registry import discover
from xsim.specimen import overlap, piecewise, rotations
from xsim.specimen.clearance import HOLLOW
from xsim.specimen.layers import Layers
from xsim.specimen.population import Population, at
from xsim.specimen.specimen import Specimen
from xsim.waves.grid import Grid

#: solids of uniform density; atoms are tested with what reads them
KINDS = sorted(set(discover("shapes")) - {"atoms"})
HOSTS = [kind for kind in KINDS if kind not in HOLLOW]


PAIRS = [(inner, HOSTS[(i + shift) % len(HOSTS)]) for i, inner in enumerate(KINDS) for shift in (0, 3)]


@pytest.mark.parametrize(("inner", "outer"), PAIRS)
def test_a_nested_part_displaces_its_host_and_never_more(inner: str, outer: str) -> None:
    rng = np.random.default_rng(hash_of(inner + outer))
    child, host = discover("shapes")[inner].example(), discover("shapes")[outer].example()
    turns = rotations.random_rotations(2, rng)
    cell = Population("cell", host, library.find("protein"), library.find("water"), at(np.zeros(3), 1.0, turns[0]))
    # in the middle of one of the solids of which a pattern consists
    solid, places = host.solids()[0] if piecewise.in_pieces(host) else (None, None)
    middle = np.zeros(3) if solid is None else places.posed(cell.poses).positions[0] + turns[0] @ solid.corners.mean(0)
    # grown until its surface comes within some per cent of the host's
    tries = [at(middle, s, turns[1]) for s in np.geomspace(0.9, 0.02, 12)]
    one = next(t for t in tries if overlap.judge(child, t, host, cell.poses)[0][0] == overlap.FIRST_INSIDE)
    seed = Population("seed", child, library.find("gold"), library.find("protein"), one)
    layers = Layers.stack((library.find("water"),), (220e-9,))
    parents = overlap.resolve([cell, seed], layers, {"seed": "cell"})
    assert list(parents[1].population) == [0]
    specimen = Specimen(layers, (cell, seed))
    grid = Grid((24, 24), 8e-9, (1.1e-9, -0.7e-9))
    low, high = specimen.z_range
    for edges in (np.array([low, high]), np.linspace(low, high, 8)):
        for z0, z1 in itertools.pairwise(edges):
            maps = specimen.thickness(grid, z0, z1)
            np.testing.assert_allclose(sum(maps.values()), z1 - z0, rtol=1e-9)


def hash_of(text: str) -> int:
    return sum(ord(c) * 31**i for i, c in enumerate(text)) % 2**32
