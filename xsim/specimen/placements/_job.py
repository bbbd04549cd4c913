"""What a placement is given: the population to place and the scene so far. And the region it may use."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from xsim.errors import PlacementError, ScenarioError
from xsim.registry import unknown
from xsim.specimen import orientation as turns
from xsim.specimen import overlap
from xsim.specimen.layers import Layers
from xsim.specimen.population import Population
from xsim.specimen.shape import Poses
from xsim.specimen.sizes import Size
from xsim.streams import StreamKey, generator

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Scene:
    """What is already there: the region's lateral `extent` (x, y) [m] or None, layers, and populations placed."""

    extent: tuple[float, float] | None
    layers: Layers
    placed: tuple[Population, ...] = ()

    def find(self, name: str, *, field: str) -> Population:
        """The placed population called `name`; raises UnknownNameError."""
        for population in self.placed:
            if population.name == name:
                return population
        raise unknown("unknown population", name, [p.name for p in self.placed], field=field)

    def holders(self, name: str) -> tuple[str, ...]:
        """Names of the populations that hold the placed population `name`, innermost first; found by position."""
        names = [p.name for p in self.placed]
        if len(names) < 2:
            return ()
        parents = overlap.resolve(list(self.placed), self.layers, {})
        chain: list[str] = []
        here = names.index(name)
        while len(held := np.unique(parents[here].population)) == 1 and held[0] >= 0:
            here = int(held[0])
            chain.append(names[here])
        return tuple(chain)


@dataclass(frozen=True, eq=False)
class Job:
    """One population to be placed. count: copies asked for, None where the placement decides.

    ancestors: names of the populations that hold this one (its host, the host's host ...), which are no obstacles.
    """

    name: str
    shape: Any
    count: int | None
    size: Size
    orientation: turns.Orientation
    host: str | None
    key: StreamKey
    scene: Scene
    ancestors: tuple[str, ...] = field(default=())

    def wanted(self, decided: int | None = None) -> int:
        """How many copies: as asked (1 if unsaid), or as `decided` by the placement; raises where they disagree."""
        if decided is None:
            return 1 if self.count is None else self.count
        if self.count is not None and self.count != decided:
            raise ScenarioError(
                "count disagrees with the placement",
                field="count",
                value=self.count,
                allowed=f"{decided}, the number of positions",
                cure="leave count out",
            )
        return decided

    def rng(self, purpose: str) -> np.random.Generator:
        """Random numbers for one purpose of this population."""
        return generator(self.key.child(purpose))

    def scales(self, count: int) -> FloatArray:
        """Sizes of `count` copies (count,)."""
        return self.size.draw(count, self.rng("size"))

    def rotations(self, count: int, normals: FloatArray | None = None) -> FloatArray:
        """Orientations of `count` copies (count, 3, 3)."""
        return turns.draw(self.orientation, count, self.rng("orientation"), normals)

    def obstacles(self) -> tuple[Population, ...]:
        """Populations placed so far that do not hold this one."""
        return tuple(p for p in self.scene.placed if p.name not in self.ancestors and len(p))


class Placement(Protocol):
    """A way of placing. A frozen pydantic model with a `kind`."""

    kind: str

    def needs(self) -> tuple[str, ...]:
        """Names of populations that must be placed before."""
        ...

    def place(self, job: Job) -> Poses:
        """Where the copies go; raises PlacementError."""
        ...


@dataclass(frozen=True)
class Region:
    """A box low..high (3,) [m] that particles must not stick out of."""

    low: tuple[float, float, float]
    high: tuple[float, float, float]

    @property
    def volume(self) -> float:
        """Volume [m^3]."""
        return float(np.prod(np.subtract(self.high, self.low)))


def region_of(scene: Scene, layer: str | int | None, z: tuple[float, float] | None) -> Region:
    """The extent times the chosen layer (by number or material), or times `z` (low, high) [m]."""
    if scene.extent is None:
        raise ScenarioError(
            "the region to fill is unknown",
            field="extent",
            cure='give the specimen an extent, such as extent = ["4 um", "4 um"]',
        )
    low, high = _depth(scene.layers, layer, z)
    half_x, half_y = scene.extent[0] / 2, scene.extent[1] / 2
    return Region((-half_x, -half_y, low), (half_x, half_y, high))


def _depth(layers: Layers, layer: str | int | None, z: tuple[float, float] | None) -> tuple[float, float]:
    if z is not None:
        if not z[0] < z[1]:
            raise PlacementError("an empty region", field="placement.z", value=z, allowed="z[0] < z[1]")
        if layer is not None:
            raise ScenarioError("give either layer or z", field="placement.layer", value=layer)
        return z
    names = [m.name for m in layers.materials]
    if not names:
        raise ScenarioError(
            "in a specimen without layers the depth to fill is unknown",
            field="placement.z",
            cure='give the placement z = ["-1 um", "1 um"], or the specimen layers',
        )
    if layer is None and len(names) > 1:
        raise ScenarioError(
            "there are several layers to choose from",
            field="placement.layer",
            allowed=", ".join(f'{i} or "{n}"' for i, n in enumerate(names)),
            cure=f'write layer = "{names[0]}"',
        )
    if isinstance(layer, str):
        if layer not in names:
            raise unknown("no layer of this material", layer, names, field="placement.layer")
        number = names.index(layer)
    else:
        number = 0 if layer is None else layer
        if not 0 <= number < len(names):
            raise PlacementError(
                "no such layer", field="placement.layer", value=number, allowed=f"0 to {len(names) - 1}"
            )
    return float(layers.edges[number]), float(layers.edges[number + 1])
