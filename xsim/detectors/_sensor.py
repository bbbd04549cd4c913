"""Absorbing sensors behind windows: the chance that a photon is detected, from the optical constants.

efficiency = prod_windows (1 - c + c exp(-mu t)) x (1 - exp(-mu t)) mu_photo / mu over the sensor, mu total attenuation,
c the share of the window that a layer covers (the bars of a supporting grid; else 1). Holds at normal incidence; a
photon scattered in the sensor counts as lost, so it is a lower bound where scattering is strong.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator, model_validator

from xsim.errors import RangeError
from xsim.model import Model
from xsim.units import Density, PositiveLength


def find_material(name: str, density: float | None) -> Any:
    """A material of the library, or a formula with its density [kg/m^3]."""
    from xsim.matter import library
    from xsim.units import quantity

    return library.find(name, density=None if density is None else quantity(density, "kg/m^3"))


class Absorber(Model):
    """A layer of `material` (a name from the library, or a formula with `density`) of `thickness`.

    coverage: the share of the area that it covers, 1 but for the bars of a grid.
    """

    material: str
    thickness: PositiveLength
    density: Density | None = None
    coverage: float = 1.0

    @field_validator("coverage")
    @classmethod
    def _share(cls, value: float) -> float:
        if not 0 <= value <= 1:
            raise RangeError("coverage", value=value, allowed="0 .. 1")
        return value

    @model_validator(mode="after")
    def _known(self) -> Absorber:
        find_material(self.material, self.density)
        return self

    def transmission(self, energy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of photons of `energy` [eV] that pass, same shape."""
        return np.asarray(1 - self.coverage + self.coverage * np.exp(-self.optical_depth(energy)[0]))

    def optical_depth(self, energy: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Total and photoelectric optical depth (same shape as `energy` [eV])."""
        optics = find_material(self.material, self.density).optics(energy)
        return np.asarray(optics.mu_total) * self.thickness, np.asarray(optics.mu_photo) * self.thickness


class Sensor(Model):
    """An absorbing sensor layer with the windows and dead layers that lie in front of it."""

    material: str = "silicon"
    thickness: PositiveLength
    density: Density | None = None
    windows: tuple[Absorber, ...] = ()

    @model_validator(mode="after")
    def _known(self) -> Sensor:
        find_material(self.material, self.density)
        return self

    def efficiency(self, energy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Chance of detection of photons of `energy` [eV], same shape."""
        layer = Absorber.model_construct(material=self.material, thickness=self.thickness, density=self.density)
        total, photo = layer.optical_depth(energy)
        passed = np.ones(np.shape(energy))
        for window in self.windows:
            passed = passed * window.transmission(energy)
        return np.asarray(passed * -np.expm1(-total) * photo / total)

    def passed(self, energy: NDArray[np.float64]) -> NDArray[np.float64]:
        """Share of photons of `energy` [eV] that come out behind it, same shape."""
        layer = Absorber.model_construct(material=self.material, thickness=self.thickness, density=self.density)
        depth = sum((one.optical_depth(energy)[0] for one in self.windows), layer.optical_depth(energy)[0])
        return np.asarray(np.exp(-depth))


Efficiency = float | Sensor


def efficiency(value: Efficiency, energy: NDArray[Any]) -> NDArray[np.float64]:
    """Chance of detection at `energy` [eV] (same shape), for a constant or a sensor."""
    energy = np.asarray(energy, np.float64)
    if not isinstance(value, Sensor):
        return np.full(energy.shape, float(value))
    unique, where = np.unique(energy, return_inverse=True)
    return value.efficiency(unique)[where].reshape(energy.shape)


class Pixels(Model):
    """The pixels of an imaging detector, as shared by every kind.

    module and gap (ny, nx) [pixels] tile the detector from its first pixel; pixels in gaps read -1.
    """

    module: tuple[int, int] | None = None
    gap: tuple[int, int] = (0, 0)

    @field_validator("module", "gap")
    @classmethod
    def _tiles(cls, value: tuple[int, int] | None, info: Any) -> tuple[int, int] | None:
        least = 1 if info.field_name == "module" else 0
        if value is not None and min(value) < least:
            raise RangeError(f"{info.field_name} (ny, nx) in pixels", value=value, allowed=f">= {least}")
        return value

    @field_validator("efficiency", mode="after", check_fields=False)
    @classmethod
    def _fraction(cls, value: Efficiency) -> Efficiency:
        if not isinstance(value, Sensor) and not 0 <= value <= 1:
            raise RangeError("efficiency", value=value, allowed="0 .. 1, or a table {material, thickness}")
        return value

    @field_validator("shape", mode="after", check_fields=False)
    @classmethod
    def _at_least_one(cls, value: tuple[int, int]) -> tuple[int, int]:
        if min(value) < 1:
            raise RangeError("pixels per axis (ny, nx)", value=value, allowed=">= 1")
        return value

    @property
    def gaps(self) -> NDArray[np.bool_]:
        """Which pixels (ny, nx) lie in gaps between modules."""
        shape: tuple[int, int] = self.shape  # type: ignore[attr-defined]
        if self.module is None:
            return np.zeros(shape, bool)
        rows, columns = (
            np.arange(n) % (module + gap) >= module for n, module, gap in zip(shape, self.module, self.gap, strict=True)
        )
        return np.asarray(rows[:, None] | columns[None, :])

    def _mark_gaps(self, values: NDArray[Any]) -> NDArray[Any]:
        """`values` (frames, ny, nx), signed, with -1 put into gaps."""
        if self.module is None or values.ndim < 3:
            return values
        gaps = self.gaps
        if values.shape[-2:] != gaps.shape:
            raise RangeError("pixels of the exposure", value=values.shape[-2:], allowed=str(gaps.shape), field="shape")
        values[..., gaps] = -1
        return values


def summed(exposure_expected: NDArray[Any], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sum over groups of weights (frames, groups) x expected (frames, groups, ...), in fixed order, float64."""
    trailing = (1,) * (exposure_expected.ndim - 2)
    total = np.zeros((exposure_expected.shape[0], *exposure_expected.shape[2:]))
    for group in range(exposure_expected.shape[1]):
        total += exposure_expected[:, group] * weights[:, group].reshape(-1, *trailing)
    return total
