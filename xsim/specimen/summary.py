"""How much of each material a specimen holds: volume, mass and number of parts, for reports."""

from __future__ import annotations

from dataclasses import dataclass

from xsim.matter.material import Material
from xsim.specimen.specimen import Specimen


@dataclass(frozen=True)
class Content:
    """One material: parts made of it, their own volume [m^3] and mass [kg], without what sits inside them.

    Layers count over the specimen's extent (x, y), less what the parts in them displace.
    """

    material: Material
    parts: int
    volume: float

    @property
    def mass(self) -> float:
        """Mass [kg]."""
        return self.volume * self.material.density


def contents(specimen: Specimen) -> list[Content]:
    """One entry per material, in the order of `Specimen.materials`; volumes follow from shapes, not from pixels."""
    volumes = dict.fromkeys(specimen.materials, 0.0)
    parts = dict.fromkeys(specimen.materials, 0)
    area = specimen.extent[0] * specimen.extent[1]
    edges = specimen.layers.edges
    for number, material in enumerate(specimen.layers.materials):
        volumes[material] += area * float(edges[number + 1] - edges[number])
    for p in specimen.populations:
        own = float(p.volumes.sum())
        volumes[p.material] += own
        parts[p.material] += len(p)
        if p.host is not None:
            volumes[p.host] -= own
    return [Content(material, parts[material], volumes[material]) for material in specimen.materials]
