"""Measured near-edge spectra spliced into the atomic table, with the Kramers-Kronig change of f1.

A measured mu(E) has an arbitrary scale and a smooth background. In a band before and a band after the edge
s mu(E) + a + b E + c E^2 is fitted to the atomic f2(E)/E (both bands weigh the same). From the end of the first band to
the middle of the second the fitted curve replaces the atomic one, with smoothstep tapers of a twelfth and a quarter
of their widths: by default, around the tabulated edge E0, from E0 - 30 eV to E0 + 350 eV with tapers of 10 and 120 eV.
f1 changes by the exact transform of the difference. Choice of bands and degree moves the scale by +-3-4 %.
Valid where the spectrum covers both bands; one element per spectrum. Near edges by formula: `analytic_edge`.
Reference for the idea: Watts, Opt. Express 22, 23628 (2014), doi 10.1364/OE.22.023628.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from xsim.errors import FileError, RangeError
from xsim.matter import elements, xdi
from xsim.matter.analytic_edge import AnalyticEdge, analytic_correction
from xsim.matter.edge_change import Correction, changed, taper
from xsim.resources import data_dir

FloatArray = NDArray[np.float64]

#: bands of the fit relative to the edge [eV], and degree of the background
PRE_BAND = (-150.0, -30.0)
POST_BAND = (100.0, 600.0)
DEGREE = 2
#: tapers of the overlay in units of the two bands' widths
TAPERS = (1 / 12, 0.24)
#: finer steps than this are averaged [eV]
BIN = 0.3


@dataclass(frozen=True)
class NearEdge:
    """A measured spectrum of one element in a material.

    file: XDI, a path or relative to the shipped materials/; energy_shift [eV] is added to the energies of the file.
    pre_band, post_band: where it is fitted to the atomic table, relative to the edge [eV]; degree of the background.
    share: part of the element's atoms that are in this state (below 1 in mixtures).
    """

    element: str
    edge: str
    file: str
    energy_shift: float = 0.0
    source: str = ""
    share: float = 1.0
    pre_band: tuple[float, float] = PRE_BAND
    post_band: tuple[float, float] = POST_BAND
    degree: int = DEGREE

    @property
    def window(self) -> tuple[float, float]:
        """Where it replaces the atomic f2 [eV]."""
        edge, _ = elements.element(self.element).edge(self.edge)
        return edge + self.pre_band[1], edge + sum(self.post_band) / 2


def check_near_edges(nears: tuple[NearEdge | AnalyticEdge, ...], symbols: set[str]) -> None:
    """Raises RangeError for a near edge of an element that is not there, and where more than all atoms have one."""
    for near in nears:
        if near.element not in symbols:
            allowed = ", ".join(sorted(symbols))
            raise RangeError(
                "near edge of an element that the material does not hold",
                field="near_edge", value=f"{near.element} {near.edge}", allowed=allowed,
            )  # fmt: skip
        together = sum(other.share for other in nears if _exclude(near, other))
        if together > 1 + 1e-6:
            value = f"{near.element} {near.edge} at {near.window[0]:.6g} eV: {together:.3g} of the atoms"
            cure = "give one, or set pre_band and post_band apart"
            raise RangeError("near edges overlap", field="near_edge", value=value, allowed="at most 1", cure=cure)


def _exclude(near: NearEdge | AnalyticEdge, other: NearEdge | AnalyticEdge) -> bool:
    """Whether one atom cannot have both where the window of `near` begins; formulas add up over different edges."""
    if near.element != other.element or not other.window[0] <= near.window[0] < other.window[1]:
        return False
    return near.edge == other.edge or not (isinstance(near, AnalyticEdge) or isinstance(other, AnalyticEdge))


def correction(near: NearEdge | AnalyticEdge) -> Correction:
    """The correction for an atom in the state of `near`, whatever their share.

    Raises FileError if a file does not fit the element or the bands, RangeError for a formula that does not.
    """
    return _correction(replace(near, share=1.0))


@cache
def _correction(near: NearEdge | AnalyticEdge) -> Correction:
    if isinstance(near, AnalyticEdge):
        return analytic_correction(near)
    path = Path(near.file) if Path(near.file).is_absolute() else data_dir("materials") / near.file
    spectrum = xdi.read(path)
    if (spectrum.element, spectrum.edge) != (near.element, near.edge):
        found = f"{path}: {spectrum.element} {spectrum.edge}"
        raise FileError("the spectrum is of another edge", value=found, allowed=f"{near.element} {near.edge}")
    _check_bands(near)
    element = elements.element(near.element)
    edge, _ = element.edge(near.edge)
    energy, mu = rebinned(spectrum.energy + near.energy_shift, spectrum.mu)
    (first, before), (_, after) = near.pre_band, near.post_band
    least, most = edge + before - (before - first) / 3, edge + 0.6 * after
    if energy[0] > least or energy[-1] < most:
        value = f"{path}: {energy[0]:g} eV to {energy[-1]:g} eV"
        allowed = f"{least:g} eV or lower to {most:g} eV or higher, or narrower pre_band and post_band"
        raise FileError("the spectrum is too short", value=value, allowed=allowed)
    background, scale, residual = _fit(energy, mu, element, near)
    nodes, difference = _difference(energy, scale * mu, background, element, near)
    return changed(nodes, difference, edge, scale, residual)


def _check_bands(near: NearEdge) -> None:
    (a, b), (c, d) = near.pre_band, near.post_band
    if not (a < b < c < d and b < 0 < d and near.degree in range(4)):
        value = f"pre_band {near.pre_band}, post_band {near.post_band}, degree {near.degree}"
        allowed = "pre_band low < high < 0, then post_band low < high, relative to the edge; degree 0 to 3"
        raise RangeError("bands of a near edge", field="near_edge", value=value, allowed=allowed)


def rebinned(energy: FloatArray, mu: FloatArray, width: float = BIN) -> tuple[FloatArray, FloatArray]:
    """Averages of all points that fall in the same bin of `width` [eV]; coarser spectra are unchanged."""
    bins = np.floor((energy - energy[0]) / width).astype(int)
    _, which = np.unique(bins, return_inverse=True)
    count = np.bincount(which)
    return np.bincount(which, energy) / count, np.bincount(which, mu) / count


def _fit(
    energy: FloatArray, mu: FloatArray, element: elements.Element, near: NearEdge
) -> tuple[FloatArray, float, float]:
    offset = energy - element.edge(near.edge)[0]
    pre = (offset >= near.pre_band[0]) & (offset <= near.pre_band[1])
    post = (offset >= near.post_band[0]) & (offset <= near.post_band[1])
    inside = pre | post
    weight = np.sqrt(np.where(pre, 1 / max(pre.sum(), 1), 1 / max(post.sum(), 1)))[inside]
    target = element.factors(energy[inside])[1] / energy[inside]
    u = offset / near.post_band[1]
    design = np.stack([mu, *(u**power for power in range(near.degree + 1))], axis=1)
    solution, *_ = np.linalg.lstsq(design[inside] * weight[:, None], target * weight, rcond=None)
    residual = float(np.sqrt(np.mean((design[inside] @ solution / target - 1) ** 2)))
    if not solution[0] > 0:
        raise FileError("the spectrum does not rise at its edge", value=f"{element.symbol}", allowed="a rising step")
    background: FloatArray = design[:, 1:] @ solution[1:]
    return background, float(solution[0]), residual


def _difference(
    energy: FloatArray, scaled: FloatArray, background: FloatArray, element: elements.Element, near: NearEdge
) -> tuple[FloatArray, FloatArray]:
    """Nodes [eV] and the weighted difference of measured and atomic f2 there, zero at both ends."""
    low, high = near.window
    high = min(high, energy[-1])
    measured = energy * (scaled + background)
    nodes = np.unique(np.concatenate((energy, element.energy, np.arange(low, high, 2.0), [low, high])))
    nodes = nodes[(nodes >= low) & (nodes <= high)]
    widths = (band[1] - band[0] for band in (near.pre_band, near.post_band))
    weight = taper(nodes, *(part * width for part, width in zip(TAPERS, widths, strict=True)))
    difference = weight * (np.interp(nodes, energy, measured) - element.factors(nodes)[1])
    difference[[0, -1]] = 0.0
    return nodes, difference
