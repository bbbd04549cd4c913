"""Dose shared among copies: how many equal particles, or unit cells of a crystal, a resolution takes.

To see detail of size d takes D_1(d) = mu N_0 E/rho with N_0 = P/(r_e^2 lambda^2 |drho|^2 d^4) in one copy
(`xsim.dose.required`). N copies whose patterns add, in a stream or in one crystal, need the same scattered photons in
all,
    D(N, d) = D_1(d)/N,    signal per copy 1/N of that of a single one,
so that the dose of each falls as 1/N and the resolution at which it meets the tolerable dose D_t(d) as
    D_1(d)/N = D_t(d),    d(N) = d(1) N^(-1/(4 + p))    for D_t proportional to d^p,  p = 1 (Howells et al. 2009).
A crystal of N cells puts the light of all into Bragg peaks, N times as strong as that of N single cells in the peak
and as strong in the integral: the sum over peaks is what counts here. Copies in a stream must also be seen one by one
(or be aligned) before their patterns can be added, which this bound leaves out, as it does all background. Valid for
detail larger than atoms.

Limits for crystals: 20 MGy (Henderson, Proc. R. Soc. B 241, 6 (1990), doi 10.1098/rspb.1990.0057), 30 MGy (Owen,
Rudino-Pinera & Garman, PNAS 103, 4912 (2006), doi 10.1073/pnas.0600973103). The line of Howells et al., J. Electron
Spectrosc. 170, 4 (2009), doi 10.1016/j.elspec.2008.10.008, 10 MGy per angstrom, meets them at 0.2 and 0.3 nm.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq

from xsim.dose.required import HOWELLS, electron_contrast, required_dose, required_fluence
from xsim.errors import RangeError
from xsim.matter.material import Material

#: doses [Gy] at which half of a crystal's diffraction is lost, whatever the resolution
HENDERSON, GARMAN = 20e6, 30e6

Law = Callable[[float], float]


@dataclass(frozen=True)
class Capped:
    """A tolerable dose that follows `law` but never exceeds `most` [Gy]: for crystals, GARMAN or HENDERSON."""

    most: float = GARMAN
    law: Law = HOWELLS

    def __call__(self, size: float) -> float:
        """The tolerable dose [Gy] at resolution `size` [m]."""
        return min(self.law(size), self.most)


@dataclass(frozen=True)
class Share:
    """What each of `copies` takes at its best resolution `size` [m]: dose [Gy] of each, fluence [1/m^2] on each, and
    the dose [Gy] that a single copy alone would need for it."""

    copies: float
    size: float
    dose: float
    fluence: float
    alone: float


def dose_per_copy(
    feature: Material,
    background: Material | None,
    size: float,
    energy: float,
    copies: float,
) -> float:
    """Dose [Gy] to each of `copies` for detail of `size` [m] at `energy` [eV]; seen (Rose) by all of them together."""
    _checked(copies)
    return required_dose(feature, background, size, energy) / copies


def copies_needed(
    feature: Material, background: Material | None, size: float, energy: float, tolerable: Law = HOWELLS
) -> float:
    """How many copies (at least 1, not rounded) show detail of `size` [m] within the tolerable dose."""
    return max(1.0, required_dose(feature, background, size, energy) / tolerable(size))


def shared_resolution(
    feature: Material, background: Material | None, energy: float, copies: float, tolerable: Law = HOWELLS
) -> float:
    """Finest detail [m] that `copies` show before the tolerable dose is passed. Raises RangeError if there is none."""
    _checked(copies)

    def excess(log_size: float) -> float:
        size = float(np.exp(log_size))
        return float(np.log(required_dose(feature, background, size, energy) / copies / tolerable(size)))

    low, high = np.log(1e-12), np.log(1e-3)
    if excess(low) * excess(high) > 0:
        raise RangeError("no size from 1 pm to 1 mm meets the tolerable dose", field="copies", value=copies,
                         allowed="a crossing", cure="take fewer copies or another energy")  # fmt: skip
    return float(np.exp(brentq(excess, low, high, xtol=1e-13)))


def sharing(
    feature: Material, background: Material | None, energy: float, copies: Sequence[float], tolerable: Law = HOWELLS
) -> list[Share]:
    """The curve from one copy to a crystal. Raises RangeError."""
    contrast, found = electron_contrast(feature, background, energy), []
    for number in copies:
        size = shared_resolution(feature, background, energy, number, tolerable)
        fluence = required_fluence(contrast, size, energy) / number
        alone = required_dose(feature, background, size, energy)
        found.append(Share(float(number), size, alone / number, fluence, alone))
    return found


def _checked(copies: float) -> None:
    if not 1 <= copies < np.inf:
        raise RangeError(
            "number of copies", field="copies", value=copies, allowed=">= 1", cure="give at least one copy"
        )
