"""How the copies of a population are turned.

In a scenario: `orientation = "aligned"` (axes along x, y, z), `"random"` (uniform over all rotations), `"normal"` (the
shape's z axis along the outward normal of the surface it sits on), `{ quaternion = [w, x, y, z] }`,
`{ axis = [0, 1, 0], angle = "30 deg" }` or `{ euler = ["10 deg", "20 deg", "0 deg"] }` (turns about the fixed z, then
y, then z axis: R = Rz(third) Ry(second) Rz(first)).
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from xsim.errors import ScenarioError
from xsim.model import Model
from xsim.specimen import rotations
from xsim.units import Angle

FloatArray = NDArray[np.float64]


class Turn(Model):
    """One fixed orientation: exactly one of `quaternion`, `euler`, or `axis` with `angle`."""

    quaternion: tuple[float, float, float, float] | None = None
    euler: tuple[Angle, Angle, Angle] | None = None
    axis: tuple[float, float, float] | None = None
    angle: Angle | None = None

    @model_validator(mode="after")
    def _one(self) -> Turn:
        given = [self.quaternion is not None, self.euler is not None, self.axis is not None]
        if sum(given) != 1 or (self.axis is None) != (self.angle is None):
            raise ScenarioError(
                "an orientation is given in exactly one way",
                allowed="quaternion = [w, x, y, z], euler = [three angles], or axis = [x, y, z] with angle",
            )
        self.matrix()
        return self

    def matrix(self) -> FloatArray:
        """The rotation (3, 3), part's frame to specimen frame."""
        if self.quaternion is not None:
            return rotations.from_quaternion(np.array(self.quaternion))
        if self.euler is not None:
            first, second, third = self.euler
            return rotations.about("z", third) @ rotations.about("y", second) @ rotations.about("z", first)
        assert self.axis is not None
        assert self.angle is not None
        return rotations.about(np.array(self.axis), self.angle)


#: what a scenario may give
Orientation = Literal["aligned", "random", "normal"] | Turn


def draw(
    orientation: Orientation, count: int, rng: np.random.Generator, normals: FloatArray | None = None
) -> FloatArray:
    """Rotations (count, 3, 3); `normals` (count, 3) are those of the surface for "normal"."""
    if isinstance(orientation, Turn):
        return np.broadcast_to(orientation.matrix(), (count, 3, 3)).copy()
    if orientation == "random":
        return rotations.random_rotations(count, rng)
    if orientation == "normal":
        if normals is None:
            raise ScenarioError(
                'orientation "normal" needs a surface',
                field="orientation",
                value="normal",
                cure='use placement kind "surface", or another orientation',
            )
        return rotations.z_to(normals)
    return np.broadcast_to(np.eye(3), (count, 3, 3)).copy()
