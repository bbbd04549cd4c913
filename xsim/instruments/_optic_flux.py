"""The light in a focus as the photon energy is scanned: the optic passes more of it at one energy than at another.

    flux(E) = flux(E_0) P(E) / P(E_0),   P = R_h R_v for mirrors, eta_1 (1 - a^2) for a zone plate

The flux of an instrument is that in its spot at its own energy E_0; the source is taken to send the same number of
photons to the optic at every energy.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.errors import RangeError
from xsim.exposure import FrameTable
from xsim.optics.kirkpatrick_baez import KirkpatrickBaez
from xsim.optics.zone_plate import ZonePlate

Optic = KirkpatrickBaez | ZonePlate

#: an optic that passes less than this at its own energy is no optic
LEAST = 1e-6


def passed(optic: Optic, energy: Any) -> Any:
    """Share of the light on the optic's aperture that reaches the focus at `energy` [eV]."""
    return optic.reflectivity(energy) if isinstance(optic, KirkpatrickBaez) else optic.transmitted(energy)


def focused_photons(optic: Optic, instrument: Any, frames: FrameTable) -> NDArray[np.float64]:
    """Photons in the focus (frames,): instrument.flux [1/s] at its own energy [eV], following the optic elsewhere."""
    energies = np.asarray(frames["energy"], np.float64)
    photons = np.asarray(instrument.flux * np.asarray(frames["time"], np.float64))
    if np.all(energies == instrument.energy):
        return photons
    distinct, which = np.unique(energies, return_inverse=True)
    share = np.asarray(passed(optic, distinct), np.float64) / float(passed(optic, instrument.energy))
    return np.asarray(photons * np.where(distinct == instrument.energy, 1.0, share)[which.ravel()])


def check_passes(optic: Optic, energy: float, field: str) -> None:
    """Raise RangeError for an optic that passes next to nothing at `energy` [eV]; field: its key."""
    share = float(passed(optic, energy))
    if share < LEAST:
        raise RangeError(
            f"hardly any light of {energy:.6g} eV passes the optic",
            field=field,
            value=f"{share:.3g} of it",
            allowed=f">= {LEAST:g}",
            cure="use a smaller grazing angle or a heavier coating, or a lower energy",
        )
