"""Transmission of a thin specimen (projection approximation).

    T = exp(-i k sum_m delta_m t_m - sum_m mu_m t_m / 2)          (wave exp(+ikz), mu: all losses)

Each ray goes straight through: valid while diffraction inside the specimen does not reach the resolution d,
thickness <~ 4 d^2 / lambda (see `xsim.interaction.validity`), and away from total reflection. The wave that goes on
loses what atoms absorb and what they scatter each by itself (`xsim.matter.material.Optics.decrement`). Reference:
Paganin, Coherent X-Ray Optics (doi 10.1093/acprof:oso/9780198567288.001.0001).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from xsim.constants import wavenumber
from xsim.waves.fft import array_namespace, as_complex

if TYPE_CHECKING:
    from xsim.matter.material import Material


def phase_and_loss(thickness: Mapping[Material, Any], energy: float) -> tuple[Any, Any]:
    """Phase delay k sum(delta t) [rad] and amplitude loss sum(mu t) / 2, each (ny, nx), summed in the order given."""
    k = float(wavenumber(energy))
    phase: Any = 0.0
    loss: Any = 0.0
    for material, metres in thickness.items():
        index = k * material.optics(energy).decrement
        phase = phase + index.real * metres
        loss = loss - index.imag * metres
    return phase, loss


def transmission(thickness: Mapping[Material, Any], energy: float, dtype: Any = np.complex64) -> Any:
    """Complex transmission (ny, nx) of the thickness maps [m] of each material at `energy` [eV]; vacuum gives 1.

    Maps may be of any array library; NumPy results have the complex `dtype`. No maps at all give the scalar 1.
    """
    phase, loss = phase_and_loss(thickness, energy)
    xp = array_namespace(phase)
    if xp is np:
        return np.exp(-1j * np.asarray(phase) - np.asarray(loss)).astype(dtype)
    return xp.exp(-1j * as_complex(phase) - as_complex(loss))
