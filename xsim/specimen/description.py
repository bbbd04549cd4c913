"""How a specimen is written in a scenario, and what is built from it.

    [specimen]
    extent = ["4 um", "4 um"]
    layers = [{ material = "vitreous_ice", thickness = "2 um" }]

    [[specimen.population]]
    name     = "labels"
    material = "gold"
    shape    = { kind = "sphere", radius = "12.2 nm" }
    size     = { distribution = "lognormal", relative_width = 0.103 }
    count    = 200
    placement = { kind = "random", minimum_gap = "5 nm" }

Everything random is drawn from streams named after the population, so adding one does not move the others' draws.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, field_validator, model_validator

from xsim.errors import ScenarioError
from xsim.model import Model, Plugin
from xsim.specimen.material_field import MaterialField
from xsim.specimen.orientation import Orientation
from xsim.specimen.placements.at import At
from xsim.specimen.sizes import Size
from xsim.specimen.specimen import Specimen
from xsim.units import PositiveLength


class LayerDescription(Model):
    """One flat layer across the beam."""

    material: MaterialField
    thickness: PositiveLength


class PopulationDescription(Model):
    """Copies of one shape: what they are made of, how large, how many, where and how turned.

    host: the population that holds them (found from their positions if unsaid). core_material: what fills a hollow
    shape such as core_shell, or the second material of a multilayer; it becomes a population of its own, NAME_core.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
    material: MaterialField
    shape: Annotated[Any, Plugin("shapes")]
    size: Size = Size()
    count: Annotated[int, Field(ge=1, le=10_000_000)] | None = None
    orientation: Orientation = "aligned"
    placement: Annotated[Any, Plugin("placements")] = At()
    host: str | None = None
    core_material: MaterialField | None = None

    @model_validator(mode="after")
    def _core(self) -> PopulationDescription:
        if self.core_material is not None and not hasattr(self.shape, "core"):
            raise ScenarioError(
                "only a hollow shape has a core to fill",
                field="core_material",
                value=self.shape.kind,
                allowed="core_shell, multilayer",
                cure="leave core_material out",
            )
        return self


class SpecimenDescription(Model):
    """The `[specimen]` table. Layers are listed from upstream; without layers the specimen stands in vacuum."""

    extent: tuple[PositiveLength, PositiveLength] | None = None
    layers: list[LayerDescription] = []  # noqa: RUF012  (pydantic copies it)
    population: list[PopulationDescription] = []  # noqa: RUF012

    @field_validator("population")
    @classmethod
    def _names(cls, population: list[PopulationDescription]) -> list[PopulationDescription]:
        seen: set[str] = set()
        for p in population:
            for name in (p.name, *([f"{p.name}_core"] if p.core_material is not None else [])):
                if name in seen:
                    raise ScenarioError("two populations of the same name", value=name, cure="give each its own name")
                seen.add(name)
        return population

    def build(self, seed: int = 1) -> Specimen:
        """Place everything, refuse overlaps, and find what each part displaces.

        Raises PlacementError, OverlapError, RangeError, FileError; `field` is the key path within `[specimen]`.
        """
        from xsim.specimen.build import build

        return build(self, seed)
