"""Everything known about a material at some energies, with the source of the data and its uncertainty band.

The band of f1 and f2 is the largest deviation of the published tables (CXRO/Henke, xraylib, Chantler) from the value
given; those of delta and beta take the elements' bands as fully correlated. Inside a measured near edge the
normalisation adds 4 % to f2, and 4 % of what the measured edge changes to f1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xsim.constants import HC
from xsim.matter import elements
from xsim.matter.material import Material
from xsim.matter.near_edge import OVERLAY, NearEdge, correction

#: what the choice of fit bands does to the scale of a measured near edge
NEAR_EDGE_BAND = 0.04
#: how far below and above an edge [eV] bonds shift it and near-edge structure matters
FINE_STRUCTURE = (10.0, 60.0)
SOURCE = (
    "f2: CXRO/Henke (doi 10.1006/adnd.1993.1013) below 2 keV, xraylib (doi 10.1016/j.sab.2011.09.011) above 5 keV, "
    "blended between; f1: exact Kramers-Kronig transform of f2; mu_total: plus Rayleigh and Compton of xraylib"
)


def describe(material: Material, energies_eV: Any) -> dict[str, Any]:
    """A dictionary of plain numbers, strings and lists (ready for JSON); units in brackets in the keys.

    energies_eV: (n,) [eV]. Raises RangeError outside 30 eV - 150 keV; DataWarning below 200 eV.
    """
    energy = np.atleast_1d(np.asarray(energies_eV, np.float64))
    optics = material.optics(energy)
    per_element, sums = {}, np.zeros((4, energy.size))
    for symbol, number in material.number_densities.items():
        f1, f2 = material.factors(symbol, energy)
        band1, band2 = elements.element(symbol).bands(energy)
        for near in material.near_edges:
            if near.element == symbol:
                band1 = band1 + NEAR_EDGE_BAND * near.share * np.abs(correction(near)(energy)[0])
                band2 = band2 + NEAR_EDGE_BAND * near.share * _inside(near, energy)
        sums += number * np.array([f1, band1, f2, f2 * band2])
        per_element[symbol] = {
            "f1 [electrons]": f1.tolist(),
            "f1 band [electrons]": band1.tolist(),
            "f2 [electrons]": f2.tolist(),
            "f2 band [relative]": band2.tolist(),
        }
    return {
        "name": material.name,
        "composition": dict(material.composition),
        "density [kg/m^3]": material.density,
        "source": material.source,
        "data": f"{SOURCE}; table version {elements.table_version()}",
        "near edges": [_near_edge(near) for near in material.near_edges],
        "cautions": cautions(material, energy),
        "energy [eV]": energy.tolist(),
        "wavelength [m]": (HC / energy).tolist(),
        "delta": optics.delta.tolist(),
        "delta band [relative]": (sums[1] / np.abs(sums[0])).tolist(),
        "beta": optics.beta.tolist(),
        "beta band [relative]": (sums[3] / sums[2]).tolist(),
        "mu_photo [1/m]": optics.mu_photo.tolist(),
        "mu_total [1/m]": optics.mu_total.tolist(),
        "attenuation length [m]": (1 / optics.mu_total).tolist(),
        "elements": per_element,
    }


def cautions(material: Material, energy: np.ndarray) -> list[str]:
    """Where `energy` (n,) [eV] meets the fine structure of an edge that was not measured: one sentence per edge."""
    measured = {(near.element, near.edge) for near in material.near_edges}
    found = []
    for symbol, _ in material.composition:
        for shell, edge in elements.element(symbol).edges.items():
            inside = (energy > edge - FINE_STRUCTURE[0]) & (energy < edge + FINE_STRUCTURE[1])
            if inside.any() and (symbol, shell) not in measured:
                found.append(
                    f"{energy[inside][0]:g} eV is near the {symbol} {shell} edge ({edge:g} eV), given as the step of a "
                    "free atom without fine structure"
                )
    return found


def _inside(near: NearEdge, energy: np.ndarray) -> np.ndarray:
    edge = elements.element(near.element).edges[near.edge]
    inside: np.ndarray = (energy > edge + OVERLAY[0]) & (energy < edge + OVERLAY[1])
    return inside


def _near_edge(near: NearEdge) -> dict[str, Any]:
    edge = elements.element(near.element).edges[near.edge]
    return {
        "element": near.element,
        "edge": near.edge,
        "file": near.file,
        "energy shift [eV]": near.energy_shift,
        "measured from [eV]": edge + OVERLAY[0],
        "measured to [eV]": edge + OVERLAY[1],
        "residual of the fit [relative]": correction(near).residual,
        "share of the atoms": near.share,
        "source": near.source,
    }
