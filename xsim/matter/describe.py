"""Everything known about a material at some energies, with the source of the data and its uncertainty band.

`xsim.matter.uncertainty` says what the bands are.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from xsim.constants import HC
from xsim.matter import elements
from xsim.matter.analytic_edge import AnalyticEdge
from xsim.matter.material import Material
from xsim.matter.near_edge import NearEdge, correction
from xsim.matter.uncertainty import element_bands

#: how far below and above an edge [eV] bonds shift it and near-edge structure matters
FINE_STRUCTURE = (10.0, 60.0)
SOURCE = (
    "f2: CXRO/Henke (doi 10.1006/adnd.1993.1013) below 2 keV, xraylib (doi 10.1016/j.sab.2011.09.011) above 5 keV "
    "(the median with Kissel's and Chantler's), blended between; f1: exact Kramers-Kronig "
    "transform of f2; mu_total: plus Rayleigh and Compton of xraylib"
)


def describe(material: Material, energies_eV: Any) -> dict[str, Any]:
    """A dictionary of plain numbers, strings and lists (ready for JSON); units in brackets in the keys.

    energies_eV: (n,) [eV]. Raises RangeError outside 30 eV - 150 keV; DataWarning below 200 eV.
    """
    energy = np.atleast_1d(np.asarray(energies_eV, np.float64))
    optics = material.optics(energy)
    per_element = {}
    for symbol, _ in material.composition:
        f1, f2 = material.factors(symbol, energy)
        band1, band2 = element_bands(material, symbol, energy)
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
        "delta band [relative]": optics.delta_band.tolist(),
        "beta": optics.beta.tolist(),
        "beta band [relative]": optics.beta_band.tolist(),
        "mu_photo [1/m]": optics.mu_photo.tolist(),
        "mu_total [1/m]": optics.mu_total.tolist(),
        "attenuation length [m]": (1 / optics.mu_total).tolist(),
        "elements": per_element,
    }


def cautions(material: Material, energy: np.ndarray) -> list[str]:
    """Where `energy` (n,) [eV] meets the fine structure of an edge that was not measured: one sentence per edge."""
    known = [(near.element, near.window) for near in material.near_edges]
    found = []
    for symbol, _ in material.composition:
        for shell, edge in elements.element(symbol).edges.items():
            inside = (energy > edge - FINE_STRUCTURE[0]) & (energy < edge + FINE_STRUCTURE[1])
            if inside.any() and not any(symbol == one and low <= edge <= high for one, (low, high) in known):
                found.append(
                    f"{energy[inside][0]:.5g} eV is near the {symbol} {shell} edge ({edge:g} eV), given as the step of "
                    "a free atom without fine structure"
                )
    return found


def _near_edge(near: NearEdge | AnalyticEdge) -> dict[str, Any]:
    change = correction(near)
    common = {
        "element": near.element,
        "edge": near.edge,
        "from [eV]": change.range[0],
        "to [eV]": change.range[1],
        "share of the atoms": near.share,
        "source": near.source,
    }
    if isinstance(near, AnalyticEdge):
        position, width = near.step
        peaks = [[peak.position, peak.width, peak.height, peak.form] for peak in near.peaks]
        formula = {"step at [eV]": position, "step width [eV]": width, "peaks [eV, eV, steps, form]": peaks}
        return {**common, "kind": "formula", **formula}
    return {
        **common,
        "kind": "measured",
        "file": near.file,
        "energy shift [eV]": near.energy_shift,
        "residual of the fit [relative]": change.residual,
    }
