"""Zernike's phase ring in the objective's back focal plane.

    P(q) -> P(q) R,   R = sqrt(T) e^(-i a)   for  inner k NA <= |q| <= outer k NA,  where the direct light passes
    a = k delta t,    T = e^(-2 k beta t)    for a ring of thickness t

The direct light is advanced by a and weakened to T; what the specimen diffracts passes beside the ring. A weak phase
object of phase phi = k delta t (wave e^(-i phi), delta against the background) then has the image

    I = |sqrt(T) e^(-ia) - i phi|^2 = T + 2 phi sqrt(T) sin(a) + O(phi^2)

on the background T: contrast 2 phi sin(a)/sqrt(T). a = 90 deg makes what has more delta bright ("negative"
contrast), a = 270 deg dark, as absorption does ("positive"). Diffracted light that passes the ring by chance is
advanced too: features larger than about lambda/[NA (outer - inner)] fade from the middle and have a halo.

The ring's edges are sharp and the back focal plane is a perfect Fourier plane. The radii keep their ratio to the
objective's aperture at all energies. References: Zernike, doi 10.1016/S0031-8914(42)80035-X; Schmahl et al., Optik 97,
181 (1994); Jacobsen, X-ray Microscopy (doi 10.1017/9781139924542), ch. 4.7.
"""

from __future__ import annotations

import cmath
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from xsim.constants import wavenumber
from xsim.errors import RangeError
from xsim.model import Model
from xsim.optics._material import find_material
from xsim.optics._pupil_passes import turn_ring
from xsim.optics.imaging import Objective
from xsim.units import Angle, Density, PositiveLength


class PhaseRing(Model):
    """A ring that advances and weakens the direct light: by `material` and `thickness`, or by numbers.

    inner, outer: radii over the objective's aperture; by default those of the condenser. advance: of the phase, the
    same at every energy (90 deg unless given). transmission: of the intensity (1 unless given).
    """

    inner: float | None = Field(default=None, ge=0)
    outer: float | None = Field(default=None, gt=0, le=4)
    #: the ring's material: a name of the library, or a formula with `density`
    material: str | None = None
    density: Density | None = None
    thickness: PositiveLength | None = None
    advance: Angle | None = None
    transmission: float | None = Field(default=None, gt=0, le=1)

    @model_validator(mode="after")
    def _one_way(self) -> PhaseRing:
        if self.inner is not None and self.outer is not None and self.inner >= self.outer:
            raise RangeError("inner radius of the phase ring", field="inner", value=self.inner, allowed="< outer")
        if (self.material is None) != (self.thickness is None):
            missing = "thickness" if self.thickness is None else "material"
            cure = 'give both, as in material = "copper", thickness = "300 nm"'
            raise RangeError(f"a phase ring without its {missing}", field=missing, cure=cure)
        if self.material is None:
            return self
        for name in ("advance", "transmission"):
            if getattr(self, name) is not None:
                cure = f"leave out {name}, or material and thickness"
                raise RangeError("given twice: the material says it", field=name, value=getattr(self, name), cure=cure)
        find_material(self.material, self.density)
        return self

    def factor(self, energy: float) -> complex:
        """What the ring multiplies the direct wave of `energy` [eV] by: sqrt(T) e^(-i a)."""
        if self.material is None or self.thickness is None:
            advance = math.pi / 2 if self.advance is None else self.advance
            return cmath.rect(math.sqrt(self.transmission or 1.0), -advance)
        optics = find_material(self.material, self.density).optics(energy)
        path = float(wavenumber(energy)) * self.thickness
        return cmath.rect(math.exp(-path * float(optics.beta)), -path * float(optics.delta))

    def quarter_wave(self, energy: float) -> float | None:
        """The thickness [m] of its material that advances by 90 deg at `energy` [eV]; None for a ring of numbers."""
        if self.material is None:
            return None
        delta = float(find_material(self.material, self.density).optics(energy).delta)
        return math.pi / (2 * float(wavenumber(energy)) * delta)

    def fitted(self, inner: float, outer: float) -> PhaseRing:
        """The ring with the radii that were left open set to those of a condenser."""
        radii = {"inner": inner if self.inner is None else self.inner, "outer": self.outer or outer}
        return self.model_copy(update=radii)


@dataclass(frozen=True)
class RingedLens:
    """An objective with a phase ring (of known radii) in its back focal plane."""

    lens: Objective
    ring: PhaseRing

    def numerical_aperture(self, energy: Any) -> Any:
        """The objective's own."""
        return self.lens.numerical_aperture(energy)

    def pupil_at(
        self, qx: Any, qy: Any, energy: float, defocus: float = 0.0, dtype: Any = np.complex128
    ) -> NDArray[Any]:
        """The objective's pupil at transverse wave vectors [rad/m], times the ring's factor where the ring is."""
        aperture = float(wavenumber(energy)) * float(self.lens.numerical_aperture(energy))
        # light on the ring's rim passes through it whatever the rounding
        inner, outer = (
            (r or 0.0) * aperture * (1 + s * 1e-9) for r, s in ((self.ring.inner, -1), (self.ring.outer, 1))
        )
        pupil = self.lens.pupil_at(qx, qy, energy, defocus, dtype).astype(dtype, copy=False)
        return turn_ring(pupil, qx, qy, (inner**2, outer**2), self.ring.factor(energy))

    def blur(self, energy: float, defocus: float = 0.0) -> float:
        """The objective's own."""
        return self.lens.blur(energy, defocus)
