"""A coherent wave on a grid."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from xsim.errors import SamplingError
from xsim.waves import angular_spectrum
from xsim.waves.grid import Grid


@dataclass(frozen=True, eq=False)
class Wavefield:
    """One coherent wave at `energy` [eV], relative to the carrier exp(ikz).

    amplitude: (..., ny, nx) complex, of any array library; |amplitude|^2 is photons per area [1/m^2], or relative.
    """

    amplitude: Any
    grid: Grid
    energy: float

    def __post_init__(self) -> None:
        if tuple(self.amplitude.shape[-2:]) != tuple(self.grid.shape):
            raise SamplingError(
                "wave and grid differ in shape", value=tuple(self.amplitude.shape), allowed=str(self.grid.shape)
            )

    @property
    def intensity(self) -> Any:
        """|amplitude|^2, real, (..., ny, nx)."""
        return abs(self.amplitude) ** 2

    @property
    def photons(self) -> Any:
        """Photons through the grid: intensity summed over pixels times the pixel's area (dimensionless)."""
        return self.intensity.sum((-2, -1)) * self.grid.pixel**2

    def times(self, factor: Any) -> Wavefield:
        """The wave behind something thin that multiplies it by `factor`."""
        return replace(self, amplitude=self.amplitude * factor)

    def propagated(self, distance: float) -> Wavefield:
        """The wave `distance` [m] downstream by the angular spectrum; raises SamplingError where that aliases."""
        return replace(self, amplitude=angular_spectrum.propagate(self.amplitude, self.grid, self.energy, distance))
