"""Measured near-edge spectra spliced into the atomic table, with the Kramers-Kronig change of f1.

A measured mu(E) has an arbitrary scale and a smooth background. In a band before and a band after the edge
s mu(E) + a + b E + c E^2 is fitted to the atomic f2(E)/E (both bands weigh the same). Between E0 - 30 eV and
E0 + 350 eV, E0 the tabulated edge, the fitted curve replaces the atomic one, with smoothstep tapers of 10 and 120 eV.
f1 changes by the exact transform of the difference. Choice of bands and degree moves the scale by +-3-4 %.
Valid where the spectrum covers both bands; one element and edge per spectrum.
Reference for the idea: Watts, Opt. Express 22, 23628 (2014), doi 10.1364/OE.22.023628.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xsim.errors import FileError
from xsim.matter import elements, xdi
from xsim.matter.kramers_kronig import transform
from xsim.resources import data_dir

FloatArray = NDArray[np.float64]

#: bands of the fit and of the overlay, relative to the edge [eV]
PRE_BAND = (-150.0, -30.0)
POST_BAND = (100.0, 600.0)
OVERLAY = (-30.0, 350.0)
TAPERS = (10.0, 120.0)
#: finer steps than this are averaged [eV]
BIN = 0.3


@dataclass(frozen=True)
class NearEdge:
    """A measured spectrum of one element in a material.

    file: XDI, a path or relative to the shipped materials/; energy_shift [eV] is added to the energies of the file.
    share: part of the element's atoms that are in this state (below 1 in mixtures).
    """

    element: str
    edge: str
    file: str
    energy_shift: float = 0.0
    source: str = ""
    share: float = 1.0


@dataclass(frozen=True, eq=False)
class Correction:
    """What a measured near edge adds to f1 and f2 [electrons] of its element, and the scale `s` of the fit."""

    energy: FloatArray
    more1: FloatArray
    more2: FloatArray
    scale: float
    residual: float

    def __call__(self, energy: FloatArray) -> tuple[FloatArray, FloatArray]:
        """(f1, f2) to add [electrons] at `energy` [eV]."""
        return np.interp(energy, self.energy, self.more1), np.interp(energy, self.energy, self.more2)


def correction(near: NearEdge) -> Correction:
    """The correction for an atom in the measured state, whatever their share.

    Raises FileError if the file does not fit the element or the bands.
    """
    return _correction(replace(near, share=1.0))


@cache
def _correction(near: NearEdge) -> Correction:
    path = Path(near.file) if Path(near.file).is_absolute() else data_dir("materials") / near.file
    spectrum = xdi.read(path)
    if (spectrum.element, spectrum.edge) != (near.element, near.edge):
        found = f"{path}: {spectrum.element} {spectrum.edge}"
        raise FileError("the spectrum is of another edge", value=found, allowed=f"{near.element} {near.edge}")
    element = elements.element(near.element)
    if near.edge not in element.edges:
        raise FileError("unknown edge", value=f"{path}: {near.edge}", allowed=", ".join(element.edges))
    edge = element.edges[near.edge]
    energy, mu = rebinned(spectrum.energy + near.energy_shift, spectrum.mu)
    if energy[0] > edge + PRE_BAND[0] / 2 or energy[-1] < edge + 0.6 * POST_BAND[1]:
        allowed = f"{edge + PRE_BAND[0] / 2:g} eV or lower to {edge + 0.6 * POST_BAND[1]:g} eV or higher"
        raise FileError(
            "the spectrum is too short", value=f"{path}: {energy[0]:g} eV to {energy[-1]:g} eV", allowed=allowed
        )
    background, scale, residual = _fit(energy, mu, element, edge)
    nodes, difference = _difference(energy, scale * mu, background, element, edge)
    far = np.geomspace(1.0, 30.0, 400)
    grid = np.unique(np.concatenate((nodes, (nodes[1:] + nodes[:-1]) / 2, edge / far, edge * far, _around(nodes))))
    grid = grid[(grid >= elements.LOWEST) & (grid <= elements.HIGHEST)]
    grid = np.unique(np.concatenate(([elements.LOWEST], grid, [elements.HIGHEST])))
    more2 = np.interp(grid, nodes, difference, left=0.0, right=0.0)
    return Correction(grid, transform(nodes, difference, grid), more2, scale, residual)


def rebinned(energy: FloatArray, mu: FloatArray, width: float = BIN) -> tuple[FloatArray, FloatArray]:
    """Averages of all points that fall in the same bin of `width` [eV]; coarser spectra are unchanged."""
    bins = np.floor((energy - energy[0]) / width).astype(int)
    _, which = np.unique(bins, return_inverse=True)
    count = np.bincount(which)
    return np.bincount(which, energy) / count, np.bincount(which, mu) / count


def _fit(energy: FloatArray, mu: FloatArray, element: elements.Element, edge: float) -> tuple[FloatArray, float, float]:
    offset = energy - edge
    pre = (offset >= PRE_BAND[0]) & (offset <= PRE_BAND[1])
    post = (offset >= POST_BAND[0]) & (offset <= POST_BAND[1])
    inside = pre | post
    weight = np.sqrt(np.where(pre, 1 / max(pre.sum(), 1), 1 / max(post.sum(), 1)))[inside]
    target = element.factors(energy[inside])[1] / energy[inside]
    u = offset / 500.0
    design = np.stack([mu, np.ones_like(u), u, u * u], axis=1)
    solution, *_ = np.linalg.lstsq(design[inside] * weight[:, None], target * weight, rcond=None)
    residual = float(np.sqrt(np.mean((design[inside] @ solution / target - 1) ** 2)))
    if not solution[0] > 0:
        raise FileError("the spectrum does not rise at its edge", value=f"{element.symbol}", allowed="a rising step")
    background: FloatArray = design[:, 1:] @ solution[1:]
    return background, float(solution[0]), residual


def _difference(
    energy: FloatArray, scaled: FloatArray, background: FloatArray, element: elements.Element, edge: float
) -> tuple[FloatArray, FloatArray]:
    """Nodes [eV] and the weighted difference of measured and atomic f2 there, zero at both ends."""
    low, high = edge + OVERLAY[0], min(edge + OVERLAY[1], energy[-1])
    measured = energy * (scaled + background)
    nodes = np.unique(np.concatenate((energy, element.energy, np.arange(low, high, 2.0), [low, high])))
    nodes = nodes[(nodes >= low) & (nodes <= high)]
    weight = _smoothstep((nodes - low) / TAPERS[0]) * _smoothstep((high - nodes) / TAPERS[1])
    difference = weight * (np.interp(nodes, energy, measured) - element.factors(nodes)[1])
    difference[[0, -1]] = 0.0
    return nodes, difference


def _around(nodes: FloatArray) -> FloatArray:
    """Points beside the overlay where the transform still varies quickly."""
    steps = np.geomspace(0.5, 1000.0, 60)
    return np.concatenate((nodes[0] - steps, nodes[-1] + steps))


def _smoothstep(u: FloatArray) -> FloatArray:
    u = np.clip(u, 0, 1)
    return u * u * (3 - 2 * u)
