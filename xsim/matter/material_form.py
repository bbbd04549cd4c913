"""How a material is written: in a file of `materials/`, and in a scenario where no name of the library serves.

{ formula = "Fe2O3", density = "5.2 g/cm^3", porosity = 0.3 }
{ parts_by_atoms = { gold = 0.5, silver = 0.5 } }
{ formula = "Fe2O3", density = "5.2 g/cm^3", near_edge = [{ element = "Fe", edge = "K", file = "mine.xdi" }] }
{ ..., near_edge = [{ element = "Fe", edge = "K", position = "7121 eV", width = "2 eV",
                      peak = [{ position = "7114 eV", width = "2 eV", height = 0.08 }] }] }
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from xsim import units
from xsim.errors import FileError, UnknownNameError
from xsim.matter.analytic_edge import AnalyticEdge, Peak
from xsim.matter.elements import SYMBOLS, element
from xsim.matter.formula import parse
from xsim.matter.material import Composition, Material
from xsim.matter.mixture import mixture
from xsim.matter.near_edge import DEGREE, POST_BAND, PRE_BAND, NearEdge
from xsim.model import Model
from xsim.resources import data_dir

#: the ways to give a composition; parts are names of materials
WAYS = ("formula", "mass_fractions", "parts_by_mass", "parts_by_volume", "parts_by_atoms")
Band = tuple[units.EnergyShift, units.EnergyShift]


class PeakForm(Model):
    """A peak of a near edge by formula; height in units of the step."""

    position: units.Energy
    width: units.Energy
    height: float
    form: Literal["gaussian", "lorentzian"] = "gaussian"


class NearEdgeForm(Model):
    """A near edge of a material: measured (`file`, XDI) or by formula (position, width, peaks)."""

    element: str
    edge: str
    file: str = ""
    energy_shift: units.EnergyShift = 0.0
    pre_band: Band = PRE_BAND
    post_band: Band = POST_BAND
    degree: Annotated[int, Field(ge=0, le=3)] = DEGREE
    position: units.Energy | None = None
    width: units.Energy | None = None
    peak: tuple[PeakForm, ...] = ()
    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    source: str = ""

    def build(self, folder: Path) -> NearEdge | AnalyticEdge:
        """The near edge; a relative `file` lies in `folder`, or is a shipped one ("xas/hematite.xdi")."""
        of_file = {"energy_shift", "pre_band", "post_band", "degree"} & self.model_fields_set
        of_formula = {"position", "width", "peak"} & self.model_fields_set
        if (self.file and of_formula) or (not self.file and of_file):
            value = ", ".join(sorted(of_formula if self.file else of_file))
            allowed = "with file: energy_shift, pre_band, post_band, degree; without: position, width, peak"
            raise FileError(
                "keys of a measured and of an analytic near edge", field="near_edge", value=value, allowed=allowed
            )
        if not self.file:
            peaks = tuple(Peak(p.position, p.width, p.height, p.form) for p in self.peak)
            return AnalyticEdge(
                self.element, self.edge, self.position, self.width, peaks, source=self.source, share=self.share
            )
        # shipped spectra keep their short name, so that a material is the same on every machine
        own, materials = (folder / self.file).resolve(), data_dir("materials").resolve()
        shipped = materials in own.parents or (not own.exists() and (materials / self.file).exists())
        file = self.file if shipped and not Path(self.file).is_absolute() else str(own)
        return NearEdge(
            self.element, self.edge, file, self.energy_shift, self.source, self.share,
            self.pre_band, self.post_band, self.degree,
        )  # fmt: skip

    @classmethod
    def of(cls, near: NearEdge | AnalyticEdge) -> NearEdgeForm:
        """The form of a near edge."""
        fields: dict[str, Any] = {"element": near.element, "edge": near.edge, "share": near.share}
        if near.source:
            fields["source"] = near.source
        if isinstance(near, NearEdge):
            names = ("file", "energy_shift", "pre_band", "post_band", "degree")
            fields |= {name: getattr(near, name) for name in names}
            return cls.model_construct(**fields)
        fields |= {name: value for name in ("position", "width") if (value := getattr(near, name)) is not None}
        fields["peak"] = tuple(PeakForm.model_construct(**asdict(peak)) for peak in near.peaks)
        return cls.model_construct(**fields)


class MaterialForm(Model):
    """A composition given in one way, its density, porosity and near edges."""

    name: str = ""
    formula: str = ""
    mass_fractions: dict[str, float] = Field(default_factory=dict)
    parts_by_mass: dict[str, float] = Field(default_factory=dict)
    parts_by_volume: dict[str, float] = Field(default_factory=dict)
    parts_by_atoms: dict[str, float] = Field(default_factory=dict)
    density: units.Density | None = None
    #: share of the volume that is empty; the density given is that of the solid
    porosity: Annotated[float, Field(ge=0, lt=1)] = 0.0
    near_edge: tuple[NearEdgeForm, ...] = ()

    def build(self, name: str, folder: Path, source: str, find: Callable[[str], Material]) -> Material:
        """The material; `find` gives its parts. Raises an XsimError for what does not fit together."""
        ways = [way for way in WAYS if getattr(self, way)]
        if len(ways) != 1:
            raise FileError("a composition in one way", field="formula", value=ways, allowed=f"one of {WAYS}")
        near = tuple(item.build(folder) for item in self.near_edge)
        solid = self._solid(name, ways[0], source, find)
        edges = solid.near_edges + near
        return Material.build(solid.name, solid.composition, solid.density * (1 - self.porosity), edges, source)

    def _solid(self, name: str, way: str, source: str, find: Callable[[str], Material]) -> Material:
        if way in ("formula", "mass_fractions"):
            if self.density is None:
                raise FileError("missing", field="density", allowed='a quantity such as "2.2 g/cm^3"')
            return Material.build(name, self._composition(), self.density, (), source)
        shares: dict[str, float] = getattr(self, way)
        wrong = [part for part in shares if part == name or part.endswith(".toml")]
        if wrong:
            raise FileError("parts of a mixture", field=way, value=wrong, allowed="names of other materials")
        parts = [(find(part), share) for part, share in shares.items()]
        return mixture(name, parts, way.removeprefix("parts_by_"), self.density, source)  # type: ignore[arg-type]

    def _composition(self) -> Composition:
        """Atoms per formula unit, or per 100 g/mol where mass fractions are given."""
        if self.formula:
            return parse(self.formula)
        for symbol, share in self.mass_fractions.items():
            if symbol not in SYMBOLS:
                raise UnknownNameError("unknown element", field="mass_fractions", value=symbol, allowed="H ... U")
            if not share > 0:
                raise FileError("mass fraction", field=f"mass_fractions.{symbol}", value=share, allowed="> 0")
        total = sum(self.mass_fractions.values())
        if abs(total - 1) > 0.01:
            raise FileError("mass fractions do not add up", field="mass_fractions", value=total, allowed="1 within 1 %")
        return tuple(
            (symbol, 100 * share / total / element(symbol).weight) for symbol, share in self.mass_fractions.items()
        )
