"""On a crystal lattice (superlattices of nanoparticles): `placement = { kind = "lattice", structure = "fcc", ... }`.

Structures sc, bcc, fcc and hcp (ideal c/a = sqrt(8/3)) by `lattice_constant`, or any lattice by its three `vectors`
and a fractional `basis`. Cut to `repeat` cells along each axis, centred, or to the sites within `cut_radius` of
`center`. `turn` rotates the lattice; particles keep the orientation that the population states. Nearest neighbours
are a (sc, hcp), a sqrt(3)/2 (bcc) and a/sqrt(2) (fcc) apart. Reference: Kittel, Introduction to Solid State Physics.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from xsim.errors import PlacementError, RangeError, ScenarioError
from xsim.model import Model
from xsim.specimen.orientation import Turn
from xsim.specimen.placements._job import Job
from xsim.specimen.shape import Poses
from xsim.units import Length, PositiveLength

FloatArray = NDArray[np.float64]
_Vector = tuple[Length, Length, Length]

#: conventional cell in units of the lattice constant, and fractional basis
_CELLS: dict[str, tuple[FloatArray, FloatArray]] = {
    "sc": (np.eye(3), np.zeros((1, 3))),
    "bcc": (np.eye(3), np.array([[0, 0, 0], [0.5, 0.5, 0.5]])),
    "fcc": (np.eye(3), np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])),
    "hcp": (
        np.array([[1, 0, 0], [0.5, 3**0.5 / 2, 0], [0, 0, (8 / 3) ** 0.5]]),
        np.array([[0, 0, 0], [1 / 3, 1 / 3, 0.5]]),
    ),
}
#: sites at most, against a cut_radius that is far too large
MOST = 10_000_000


class Lattice(Model):
    """Sites of a lattice. Exactly one of `repeat` and `cut_radius` bounds it."""

    kind: Literal["lattice"] = "lattice"
    structure: Literal["sc", "bcc", "fcc", "hcp"] | None = None
    lattice_constant: PositiveLength | None = None
    vectors: tuple[_Vector, _Vector, _Vector] | None = None
    basis: list[tuple[float, float, float]] | None = None
    repeat: tuple[int, int, int] | None = None
    cut_radius: PositiveLength | None = None
    center: _Vector = (0.0, 0.0, 0.0)
    turn: Turn | None = None

    @model_validator(mode="after")
    def _complete(self) -> Lattice:
        named = self.structure is not None and self.lattice_constant is not None
        if named == (self.vectors is not None) or (self.structure is None) != (self.lattice_constant is None):
            raise ScenarioError(
                "a lattice is given in exactly one way",
                field="structure",
                allowed='structure ("sc", "bcc", "fcc", "hcp") with lattice_constant, or vectors',
                cure='write structure = "fcc" and lattice_constant = "30 nm"',
            )
        if self.basis is not None and (self.vectors is None or not self.basis):
            raise ScenarioError("a basis belongs to vectors", field="basis", allowed="one or more fractional positions")
        if (self.repeat is None) == (self.cut_radius is None):
            raise ScenarioError(
                "the size of the lattice is given in exactly one way",
                field="repeat",
                allowed="repeat = [cells along each axis] or cut_radius",
            )
        if self.repeat is not None and min(self.repeat) < 1:
            raise RangeError("cells along each axis", field="repeat", value=self.repeat, allowed=">= 1")
        if abs(float(np.linalg.det(self.cell() / np.abs(self.cell()).max()))) < 1e-9:
            raise RangeError("the lattice vectors lie in a plane", field="vectors", value=self.vectors)
        return self

    def cell(self) -> FloatArray:
        """The three lattice vectors (3, 3) [m], one per row, before `turn`."""
        if self.vectors is not None:
            return np.array(self.vectors, np.float64)
        assert self.structure is not None
        assert self.lattice_constant is not None
        return _CELLS[self.structure][0] * self.lattice_constant

    def sites(self) -> FloatArray:
        """All sites (n, 3) [m], ordered by cell."""
        basis = np.array(self.basis or [(0, 0, 0)], np.float64) if self.vectors else _CELLS[str(self.structure)][1]
        cell = self.cell()
        if self.repeat is not None:
            low, count = np.zeros(3, np.int64), np.array(self.repeat, np.int64)
        else:
            assert self.cut_radius is not None
            # planes of cells are 1/|row of the inverse| apart
            most = np.ceil(self.cut_radius * np.linalg.norm(np.linalg.inv(cell), axis=0)).astype(np.int64) + 1
            low, count = -most, 2 * most + 1
        if int(np.prod(count)) * len(basis) > MOST:
            raise PlacementError("too many lattice sites", value=int(np.prod(count)) * len(basis), allowed=f"<= {MOST}")
        axes = [np.arange(n) + k for n, k in zip(count, low, strict=True)]
        index = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 1, 3)
        # einsum: one fixed order of additions, unlike a matrix product
        points = np.einsum("ni,ij->nj", (index + basis).reshape(-1, 3), cell)
        if self.cut_radius is not None:
            points = points[(points**2).sum(axis=1) <= (self.cut_radius * (1 + 1e-9)) ** 2]
        else:
            points -= (points.min(axis=0) + points.max(axis=0)) / 2
        if self.turn is not None:
            points = np.einsum("ij,nj->ni", self.turn.matrix(), points)
        return points + np.array(self.center)

    def needs(self) -> tuple[str, ...]:
        """Nothing has to be there before."""
        return ()

    def place(self, job: Job) -> Poses:
        """One particle on every site."""
        positions = self.sites()
        count = job.wanted(len(positions))
        return Poses(positions, job.rotations(count), job.scales(count))
