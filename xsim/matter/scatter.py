"""Rayleigh and Compton scattering of one atom into a direction, polarised or not.

Rayleigh: r_e^2 F(x)^2 P; Compton: Klein-Nishina times the incoherent scattering function S(x); x = sin(theta/2)/lambda.
P = 1 - sin^2(theta) cos^2(phi) for linear polarisation, phi measured from the plane of polarisation, and
(1 + cos^2 theta)/2 without. A detector sees a cone: average over it, never take its centre at 90 degrees in the
plane of polarisation, where the value is zero. Form factors without dispersion: 1 % and better far from edges.
Valid 1 - 150 keV. Reference: xraylib, doi 10.1016/j.sab.2011.09.011 (form factors of Hubbell 1975, 1979).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from xsim.constants import N_A
from xsim.matter import elements

FloatArray = NDArray[np.float64]

_REST_ENERGY = 510998.95  # electron [eV]
#: momentum of one atomic unit over mc
ALPHA = 1 / 137.035999


def rayleigh(element: str, energy: float, theta: Any, phi: Any = None) -> FloatArray:
    """Differential cross section [m^2/sr per atom] of elastic scattering by `theta` [rad] (array) at `energy` [eV].

    phi [rad]: azimuth from the plane of polarisation; None for unpolarised light.
    """
    return _differential("Rayl", element, energy, theta, phi)


def compton(element: str, energy: float, theta: Any, phi: Any = None) -> FloatArray:
    """Differential cross section [m^2/sr per atom] of inelastic scattering; arguments as for `rayleigh`."""
    return _differential("Compt", element, energy, theta, phi)


def compton_energy(energy: Any, theta: Any) -> Any:
    """Energy [eV] of a photon of `energy` [eV] after Compton scattering by `theta` [rad] off an electron at rest."""
    return energy / (1 + energy / _REST_ENERGY * (1 - np.cos(theta)))


def doppler(element: str, energy: float, theta: float, edges: FloatArray) -> FloatArray:
    """Shares (len(edges) - 1,) of photons of `energy` [eV], Compton scattered by `theta` [rad], between `edges` [eV].

    The electrons' motion spreads the line by the Compton profile J(p_z) of the atom (impulse approximation), with
    p_z / mc = (E' - E + E E' (1 - cos theta) / mc^2) / sqrt(E^2 + E'^2 - 2 E E' cos theta). What lies beyond the edges
    is left out. Reference: Biggs et al., At. Data Nucl. Data Tables 16, 201 (1975), doi 10.1016/0092-640X(75)90030-3.
    """
    transfer = np.sqrt(energy**2 + edges**2 - 2 * energy * edges * np.cos(theta))
    lost = energy - edges - energy * edges * (1 - np.cos(theta)) / _REST_ENERGY
    momenta, below = _momenta(element)
    return np.asarray(np.diff(np.interp(-lost / np.maximum(transfer, 1e-9) / ALPHA, momenta, below)))


@cache
def _momenta(element: str) -> tuple[FloatArray, FloatArray]:
    """Momenta along a line [atomic units] and the share of electrons with less."""
    import xraylib

    half = np.concatenate([np.arange(0, 6, 0.02), np.geomspace(6, 100, 300)])
    profile = np.array([xraylib.ComptonProfile(elements.element(element).z, float(p)) for p in half])
    above = np.concatenate([[0.0], np.cumsum(np.diff(half) * (profile[1:] + profile[:-1]) / 2)])
    share = above / above[-1] / 2
    return np.concatenate([-half[:0:-1], half]), np.concatenate([0.5 - share[:0:-1], 0.5 + share])


def _differential(kind: str, element: str, energy: float, theta: Any, phi: Any) -> FloatArray:
    import xraylib

    record = elements.element(element)
    kev = float(elements.checked(energy)) / 1e3
    area = 0.1 * 1e-3 * record.weight / N_A  # cm^2/g to m^2 per atom
    polarised = phi is not None
    call = getattr(xraylib, f"DCS{'P' if polarised else ''}_{kind}")
    angles, azimuths = np.broadcast_arrays(np.asarray(theta, np.float64), 0.0 if phi is None else phi)
    out = np.zeros(angles.shape)
    for index, angle in np.ndenumerate(angles):
        extra = (float(azimuths[index]),) if polarised else ()
        try:
            out[index] = call(record.z, kev, float(angle), *extra) * area
        except ValueError:
            # the table of S(x) starts at a small finite x, below which S falls as x^2 to zero
            if kind == "Rayl" or angle > 0.1:
                raise
    return out
