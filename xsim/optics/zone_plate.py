"""Fresnel zone plates.

    r_n^2 = n lambda f + n^2 lambda^2/4,   f = D dr/lambda = 4 N dr^2/lambda,   NA = lambda/2dr
    depth of focus +-2 dr^2/lambda
    eta_m = [1 + e^(-2k beta t) - 2 e^(-k beta t) cos(k delta t)] / (m^2 pi^2)  (m odd),   eta_m = 0 (m even)
    eta_0 = [1 + e^(-2k beta t) + 2 e^(-k beta t) cos(k delta t)] / 4

dr is the outermost zone width, D the diameter, N = D/4dr the number of zones, t the zones' height. Valid for thin
zones (t << 4 dr^2/lambda, no volume diffraction), a 1:1 ratio of mark to space, and a bandwidth below 1/(m N).
Reference: Kirz, J. Opt. Soc. Am. 64, 301 (doi 10.1364/JOSA.64.000301); Attwood, Soft X-Rays and Extreme Ultraviolet
Radiation (doi 10.1017/CBO9781139164429).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from xsim.constants import wavelength, wavenumber
from xsim.errors import RangeError
from xsim.model import Model
from xsim.optics._material import find_material
from xsim.optics.aberrations import Aberrations
from xsim.optics.pupil import Lens, annulus, annulus_at, focus
from xsim.units import Density, PositiveLength
from xsim.waves.grid import Grid

FloatArray = NDArray[np.float64]


class ZonePlate(Model):
    """A zone plate objective or condenser lens; lengths in metres inside."""

    outermost_zone: PositiveLength = 30e-9
    diameter: PositiveLength = 90e-6
    #: the zones' material: a name of the library, a formula with `density`, or "opaque" for zones that pass nothing
    material: str = "gold"
    density: Density | None = None
    thickness: PositiveLength = 200e-9
    #: diameter of the opaque central stop as a fraction of `diameter`
    central_stop: float = Field(default=0.0, ge=0, lt=1)
    #: wavefront errors of the first order, in waves at the rim
    aberrations: Aberrations = Aberrations()

    @model_validator(mode="after")
    def _known(self) -> ZonePlate:
        if self.material != "opaque":
            find_material(self.material, self.density)
        return self

    @property
    def zone_count(self) -> float:
        """Number of zones N, opaque and clear together."""
        return self.diameter / (4 * self.outermost_zone)

    def focal_length(self, energy: Any, order: int = 1) -> Any:
        """Focal length [m] of diffraction `order` at `energy` [eV] (float or array)."""
        return self.diameter * self.outermost_zone / (wavelength(energy) * order)

    def numerical_aperture(self, energy: Any) -> Any:
        """Numerical aperture lambda/2dr of the first order."""
        return wavelength(energy) / (2 * self.outermost_zone)

    def check(self, energy: float, key: str = "zone_plate") -> None:
        """Raise RangeError where zones are so fine that no cone of light of `energy` [eV] leaves them; key: its own."""
        least = float(wavelength(energy)) / 2
        if self.outermost_zone <= least:
            raise RangeError(
                f"no light of {energy:.6g} eV leaves so fine zones at an angle below 90 deg",
                field=f"{key}.outermost_zone",
                value=f"{self.outermost_zone:.4g} m",
                allowed=f"> half the wavelength, {least:.3g} m",
                cure="use wider zones or a higher energy",
            )

    def lens(self, energy: float) -> Lens:
        """The pupil at `energy`: aperture, stop and aberrations."""
        return Lens(float(self.numerical_aperture(energy)), self.central_stop, self.aberrations)

    def blur(self, energy: float, defocus: float = 0.0) -> float:
        """How far off the axis [m] rays land in the plane `defocus` [m] downstream: a margin that holds the spot."""
        return self.lens(energy).reach(energy, defocus)

    def resolution(self, energy: Any = None) -> float:
        """Rayleigh resolution 1.22 dr [m], whatever the energy."""
        return 1.219670 * self.outermost_zone

    def depth_of_focus(self, energy: Any) -> Any:
        """Distance [m] from best focus at which the image begins to blur: 2 dr^2/lambda to either side."""
        return 2 * self.outermost_zone**2 / wavelength(energy)

    def largest_bandwidth(self, order: int = 1) -> float:
        """Relative bandwidth 1/(m N) above which chromatic blur exceeds the resolution."""
        return 1 / (abs(order) * self.zone_count)

    def zones(self, energy: float) -> FloatArray:
        """Radii r_n [m] of the zone boundaries n = 1..N of a plate designed for `energy` [eV]."""
        n = np.arange(1, int(self.zone_count) + 1)
        lam = wavelength(energy)
        return np.asarray(np.sqrt(n * lam * self.focal_length(energy) + (n * lam / 2) ** 2))

    def efficiency(self, energy: Any, order: int = 1) -> Any:
        """Share of the light on the open aperture that goes into `order` (0, +-1, +-2 ...)."""
        real, imaginary = self._zone_amplitude(energy)
        if order == 0:
            return ((1 + real) ** 2 + imaginary**2) / 4
        if order % 2 == 0:
            return 0.0 * real
        return ((1 - real) ** 2 + imaginary**2) / (np.pi * order) ** 2

    def transmitted(self, energy: Any, order: int = 1) -> Any:
        """Share of the light on the whole disk that reaches the focus of `order`, central stop included."""
        return self.efficiency(energy, order) * (1 - self.central_stop**2)

    def pupil(self, grid: Grid, energy: float, defocus: float = 0.0) -> NDArray[np.complex128]:
        """Pupil (ny, nx) in FFT order on the frequencies of the object-side `grid`; modulus 1 in, 0 outside.

        The edge is sharp: a field periodic on the grid has light at the grid's frequencies alone, for which that is
        exact. Multiply images by `efficiency` for photons. defocus [m]: image the plane this far downstream.
        Raises SamplingError if the grid cannot hold the aperture or the defocus.
        """
        return np.asarray(annulus(grid, energy, self.lens(energy), defocus=defocus), np.complex128)

    def pupil_at(
        self, qx: Any, qy: Any, energy: float, defocus: float = 0.0, dtype: Any = np.complex128
    ) -> NDArray[Any]:
        """The pupil at any transverse wave vectors qx, qy [rad/m], as `imaging.abbe_image` wants it.

        Complex of type `dtype`, or boolean if it has neither defocus nor aberrations.
        """
        return annulus_at(qx, qy, energy, self.lens(energy), defocus, dtype)

    def probe(self, grid: Grid, energy: float, defocus: float = 0.0) -> NDArray[np.complex128]:
        """Focused amplitude (ny, nx) centred on pixel (ny//2, nx//2), its squares summing to 1, first order alone.

        defocus [m]: how far the plane lies downstream of the focus. The pupil's edge is averaged over each
        frequency cell. Raises SamplingError if the pixel is too coarse or the field too small for it.
        """
        return focus(grid, energy, self.lens(energy), defocus)

    def _zone_amplitude(self, energy: Any) -> tuple[Any, Any]:
        """Real and imaginary parts of the amplitude transmitted by an opaque zone."""
        if self.material == "opaque":
            return 0.0 * np.asarray(energy, float), 0.0 * np.asarray(energy, float)
        optics = find_material(self.material, self.density).optics(energy)
        k = wavenumber(energy)
        modulus = np.exp(-k * optics.beta * self.thickness)
        phase = k * optics.delta * self.thickness
        return modulus * np.cos(phase), -modulus * np.sin(phase)
