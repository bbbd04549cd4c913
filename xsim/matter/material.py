"""A homogeneous material: composition, density and the optical constants that follow.

n = 1 - delta + i beta with delta = r_e lambda^2 n_a f1 / 2 pi, beta = r_e lambda^2 n_a f2 / 2 pi and
mu_photo = 4 pi beta / lambda, summed over the elements; mu_total adds Rayleigh and Compton scatter. mu_photo deposits
dose and is what Kramers-Kronig ties to delta; mu_total attenuates every beam and wave that goes on coherently, since
what an atom scatters by itself leaves it: waves take the `decrement`, delta - i lambda mu_total / 4 pi. Near edges,
measured or analytic, replace the atomic f2 of one element around one edge, and f1 follows by Kramers-Kronig.
Valid 30 eV - 150 keV, for atoms independent of each other except at near edges.
Reference: Henke, Gullikson & Davis, doi 10.1006/adnd.1993.1013.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np

from xsim import units
from xsim.constants import HC, N_A, R_E
from xsim.errors import RangeError, UnitError
from xsim.matter import elements
from xsim.matter.analytic_edge import AnalyticEdge
from xsim.matter.formula import parse
from xsim.matter.near_edge import NearEdge, check_near_edges, correction
from xsim.matter.uncertainty import bands

Composition = tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class Optics:
    """Optical constants at some energies, each a number or an array.

    delta, beta [1]; mu_photo, mu_total [1/m]; decrement [1], complex: delta - i lambda mu_total / 4 pi, with which a
    wave goes on as exp(-i k decrement t), so that its intensity falls by all losses exp(-mu_total t). `delta_band` and
    `beta_band` tell the relative uncertainty. material and energy [eV] are what the constants are of.
    """

    delta: Any
    beta: Any
    mu_photo: Any
    mu_total: Any
    decrement: Any
    material: Material = field(repr=False)
    energy: Any = field(repr=False)

    @property
    def delta_band(self) -> Any:
        """Relative uncertainty of delta (see `xsim.matter.uncertainty`)."""
        return bands(self.material, self.energy)[0]

    @property
    def beta_band(self) -> Any:
        """Relative uncertainty of beta and mu_photo."""
        return bands(self.material, self.energy)[1]


@dataclass(frozen=True, init=False)
class Material:
    """Composition (symbol, atoms per formula unit), density [kg/m^3] and near edges; hashable, picklable.

    ``Material("SiO2", density="2.2 g/cm^3")`` from Python; `xsim.matter.library.find("silica")` from the library.
    """

    name: str
    composition: Composition
    density: float
    near_edges: tuple[NearEdge | AnalyticEdge, ...] = ()
    source: str = ""

    def __init__(self, formula: str, density: units.Quantity | None = None, *, name: str = "", source: str = ""):
        if density is None:
            cure = (
                'give one, Material("SiO2", density="2.2 g/cm^3"), or take a name: xsim.matter.library.find("silica")'
            )
            raise UnitError("a formula needs a density", field="density", value=formula, cure=cure)
        value = units.as_float(density, "kg/m^3", field="density")
        self._fill(name or formula, parse(formula), value, (), source or "formula and density as given")

    @classmethod
    def build(
        cls,
        name: str,
        composition: Composition,
        density: float,
        near_edges: tuple[NearEdge | AnalyticEdge, ...] = (),
        source: str = "",
    ) -> Material:
        """From floats: `density` [kg/m^3]."""
        material = cls.__new__(cls)
        material._fill(name, composition, density, near_edges, source)
        return material

    def _fill(self, name: str, composition: Composition, density: float, near: tuple[Any, ...], src: str) -> None:
        if not 0 < density < float("inf"):
            raise RangeError(
                "density of a material", field="density", value=units.quantity(density, "kg/m^3"), allowed="> 0 kg/m^3"
            )
        check_near_edges(tuple(near), {symbol for symbol, _ in composition})
        values = (name, tuple(composition), float(density), tuple(near), src)
        for key, value in zip(("name", "composition", "density", "near_edges", "source"), values, strict=True):
            object.__setattr__(self, key, value)

    def with_density(self, density: units.Quantity) -> Material:
        """The same material at another density (a string with unit or a pint quantity)."""
        value = units.as_float(density, "kg/m^3", field="density")
        return Material.build(self.name, self.composition, value, self.near_edges, self.source)

    def with_near_edges(self, *near_edges: NearEdge | AnalyticEdge) -> Material:
        """The same material with these near edges instead of its own; raises RangeError for those that do not fit."""
        return Material.build(self.name, self.composition, self.density, near_edges, self.source)

    @property
    def formula_mass(self) -> float:
        """Mass of one formula unit [kg/mol]."""
        return 1e-3 * sum(count * elements.element(symbol).weight for symbol, count in self.composition)

    @property
    def number_densities(self) -> dict[str, float]:
        """Atoms of each element per volume [1/m^3]."""
        units_per_volume = self.density * N_A / self.formula_mass
        return {symbol: count * units_per_volume for symbol, count in self.composition}

    @property
    def mass_fractions(self) -> dict[str, float]:
        """Share of each element in the mass."""
        total = 1e3 * self.formula_mass
        return {symbol: count * elements.element(symbol).weight / total for symbol, count in self.composition}

    @property
    def electron_density(self) -> float:
        """All electrons per volume [1/m^3]."""
        return sum(n * elements.element(symbol).z for symbol, n in self.number_densities.items())

    def factors(self, symbol: str, energy: Any) -> tuple[Any, Any]:
        """f1, f2 [electrons] of one of its elements at `energy` [eV], with this material's near edges."""
        values = np.asarray(energy, np.float64)
        f1, f2 = elements.element(symbol).factors(values)
        for near in self.near_edges:
            if near.element == symbol:
                more1, more2 = correction(near)(values)
                f1, f2 = f1 + near.share * more1, f2 + near.share * more2
        return f1, f2

    def optics(self, energy_eV: Any) -> Optics:
        """Optical constants at `energy_eV` [eV], a float or an array, as floats or arrays of the same shape.

        Raises RangeError outside 30 eV - 150 keV; DataWarning below 200 eV.
        """
        if isinstance(energy_eV, float) and elements.DOUBTFUL <= energy_eV <= elements.HIGHEST:
            return _optics_at(self, float(energy_eV))
        energy = elements.checked(energy_eV)
        return _optics_at(self, float(energy)) if energy.ndim == 0 else _optics(self, energy)

    def delta(self, energy: units.Quantity) -> float:
        """Refractive index decrement at `energy`, a string such as "8 keV" or a pint quantity."""
        return float(self._at(energy).delta)

    def beta(self, energy: units.Quantity) -> float:
        """Absorption index (photoabsorption) at `energy`, a string such as "8 keV" or a pint quantity."""
        return float(self._at(energy).beta)

    def mu(self, energy: units.Quantity) -> float:
        """Total linear attenuation coefficient [1/m] at `energy`, a string such as "8 keV" or a pint quantity."""
        return float(self._at(energy).mu_total)

    def attenuation_length(self, energy: units.Quantity) -> float:
        """Length after which 1/e of the direct beam is left [m] at `energy`, a string or a pint quantity."""
        return 1.0 / self.mu(energy)

    def scattering_length_density(self, energy: units.Quantity) -> complex:
        """r_e n_a (f1 - i f2) [1/m^2] = (2 pi / lambda^2)(delta - i beta) at `energy`, a string or a pint quantity."""
        optics = self._at(energy)
        wavelength = HC / units.as_float(energy, "eV", field="energy")
        return 2 * np.pi / wavelength**2 * complex(optics.delta, -optics.beta)

    def _at(self, energy: units.Quantity) -> Optics:
        if isinstance(energy, np.ndarray):
            raise UnitError("not a quantity", field="energy", value="an array", cure="use optics(energies in eV)")
        return self.optics(units.as_float(energy, "eV", field="energy"))


@lru_cache(maxsize=4096)
def _optics_at(material: Material, energy: float) -> Optics:
    found = _optics(material, np.array([energy]))
    delta, beta, photo, total = (float(c[0]) for c in (found.delta, found.beta, found.mu_photo, found.mu_total))
    return Optics(delta, beta, photo, total, complex(found.decrement[0]), material, energy)


def _optics(material: Material, energy: np.ndarray) -> Optics:
    # the look-up is several times faster in ascending order
    order = np.argsort(energy, axis=None, kind="stable")
    ordered = energy.ravel()[order]
    logs = np.log(ordered)
    sum1, sum2, scatter = np.zeros(ordered.shape), np.zeros(ordered.shape), np.zeros(ordered.shape)
    for symbol, number in material.number_densities.items():
        f1, f2 = material.factors(symbol, ordered)
        sum1 += number * f1
        sum2 += number * f2
        scatter += number * elements.element(symbol).scattered(logs)
    wavelength = HC / ordered
    scale = R_E * wavelength**2 / (2 * np.pi)
    mu_photo = 2 * R_E * wavelength * sum2
    columns = np.empty((4, ordered.size))
    columns[:, order] = scale * sum1, scale * sum2, mu_photo, mu_photo + scatter
    delta, beta, photo, total = columns.reshape(4, *energy.shape)
    return Optics(delta, beta, photo, total, delta - 1j * HC / (4 * np.pi * energy) * total, material, energy)
