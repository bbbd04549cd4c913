"""Primary (Seidel) aberrations of a lens.

    W(rho, theta) = A_s rho^4 + A_a rho^2 cos 2(theta - theta_a) + A_c rho^3 cos(theta - theta_c)      [waves]
    P = exp(2 pi i W),    rho = |q| / (k NA) <= 1,    theta the direction of q from x towards y

The coefficients are peak values at the rim of the pupil, in waves. A zone misplaced by dr shifts the phase of the
first order by 2 pi dr over the local period at every energy, so for a zone plate the coefficients do not depend on
energy. A ray through the point p = (px, py) of the pupil meets the focal plane at -(lambda/NA) grad W. Hence:

    spherical     z = 0 is the paraxial focus; the least rms error A_s/sqrt(180) lies at z = 2 lambda A_s/NA^2
    astigmatism   balanced: lines at z = +-2 lambda A_a/NA^2 (at + the light is sharp along theta_a); rms A_a/sqrt(6)
    coma          the spot's centre of mass moves by -(lambda/NA) A_c along theta_c; rms A_c/sqrt(72) without that tilt

and for small rms errors s the peak falls to 1 - (2 pi s)^2 (Strehl, Marechal). z is downstream of the focus. Valid for
a scalar, shift-invariant lens. Reference: Born & Wolf, Principles of Optics, ch. 5 and 9; Mahajan, J. Opt. Soc. Am.
71, 75 (doi 10.1364/JOSA.71.000075) for annular pupils.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xsim.constants import wavelength
from xsim.model import Model
from xsim.optics._pupil_passes import seidel
from xsim.units import Angle

FloatArray = NDArray[np.float64]

#: the largest coefficient [waves]; far beyond what any grid in use carries
MOST = 1000.0


class Aberrations(Model):
    """Peak wavefront errors at the pupil's rim in waves; the angles [rad] count from x towards y."""

    spherical: float = Field(default=0.0, ge=-MOST, le=MOST)
    astigmatism: float = Field(default=0.0, ge=-MOST, le=MOST)
    astigmatism_angle: Angle = 0.0
    coma: float = Field(default=0.0, ge=-MOST, le=MOST)
    coma_angle: Angle = 0.0

    def __bool__(self) -> bool:
        """Whether there is any aberration."""
        return bool(self.spherical or self.astigmatism or self.coma)

    def coefficients(self) -> tuple[float, float, float, float, float]:
        """Spherical, astigmatism along x and at 45 deg, coma along x and y, as `seidel` takes them [rad]."""
        twofold, tilt = 2 * self.astigmatism_angle, self.coma_angle
        return (
            2 * math.pi * self.spherical,
            2 * math.pi * self.astigmatism * math.cos(twofold),
            2 * math.pi * self.astigmatism * math.sin(twofold),
            2 * math.pi * self.coma * math.cos(tilt),
            2 * math.pi * self.coma * math.sin(tilt),
        )

    def phase(self, px: Any, py: Any) -> FloatArray:
        """Phase 2 pi W [rad] at pupil coordinates px, py (broadcast together), 1 at the rim."""
        return np.asarray(seidel.py_func(px, py, *self.coefficients()), np.float64)

    def gradient(self, px: Any, py: Any) -> tuple[FloatArray, FloatArray]:
        """dW/dpx and dW/dpy [waves]: where rays go, in units of -lambda/NA."""
        rho2 = px * px + py * py
        c, s = np.cos(2 * self.astigmatism_angle), np.sin(2 * self.astigmatism_angle)
        u, v = self.coma * np.cos(self.coma_angle), self.coma * np.sin(self.coma_angle)
        along = 2 * (u * px + v * py)
        gx = 4 * self.spherical * rho2 * px + 2 * self.astigmatism * (c * px + s * py) + along * px + u * rho2
        gy = 4 * self.spherical * rho2 * py + 2 * self.astigmatism * (s * px - c * py) + along * py + v * rho2
        return np.asarray(gx, np.float64), np.asarray(gy, np.float64)

    def best_focus(self, energy: Any, numerical_aperture: Any, stop: float = 0.0) -> Any:
        """Distance [m] downstream of the paraxial focus with the least rms wavefront error.

        stop: radius of the central stop over that of the pupil, which moves best focus by 1 + stop^2.
        """
        return 2 * wavelength(energy) * self.spherical * (1 + stop**2) / numerical_aperture**2


def ray_reach(energy: float, numerical_aperture: float, stop: float, defocus: float, aberrations: Aberrations) -> float:
    """Greatest distance [m] from the axis at which a ray through the open pupil meets the plane `defocus` [m] away."""
    angle = np.linspace(0, 2 * np.pi, 48, endpoint=False)
    rho = np.linspace(stop, 1, 33)[:, None]
    px, py = rho * np.cos(angle), rho * np.sin(angle)
    gx, gy = aberrations.gradient(px, py)
    scale = float(wavelength(energy)) / numerical_aperture
    travel = defocus * numerical_aperture
    return float(np.max(np.hypot(travel * px - scale * gx, travel * py - scale * gy)))
