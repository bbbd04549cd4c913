"""Thin films of single elements measured beside the specimen: what makes counts into area densities.

    n = N_A/M Omega/4 pi sum over lines of sigma_line(E) R(line, window)     counts per photon and kg/m^2

R is the chance that a photon of a line, sent towards the detector, is counted in the window of the strongest one. The
elements are those of the specimen with a line from 1 keV to 7 % below the beam's energy, where scatter begins.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from xsim.constants import N_A
from xsim.interaction.columns import Columns
from xsim.matter import elements
from xsim.matter.lines import Line, fluorescence_lines
from xsim.metrics.line_limits import END, Standard
from xsim.waves.grid import Grid

#: lines are looked for between this energy [eV] and this share of the beam's
SOFTEST, BELOW_BEAM = 1e3, 0.93


def standards(symbols: Iterable[str], energy: float, detector: Any) -> list[Standard]:
    """One for the strongest line of each element within reach, by energy; `energy` [eV] of the beam."""
    found = []
    channel = np.asarray(detector.energies, np.float64)
    for symbol in dict.fromkeys(symbols):
        lines = fluorescence_lines(symbol, energy)
        seen = [line for line in lines if SOFTEST <= line.energy <= min(BELOW_BEAM * energy, channel[-1])]
        if seen:
            found.append(_standard(symbol, max(seen, key=lambda line: line.cross_section), lines, detector))
    return sorted(found, key=lambda one: one.energy)


def _standard(symbol: str, strongest: Line, lines: list[Line], detector: Any) -> Standard:
    atom = elements.element(symbol).weight * 1e-3 / N_A
    width = float(detector.fwhm(strongest.energy))
    blank = Standard(f"{symbol}_{strongest.family}", strongest.energy, width, 1.0, atom)
    near = [line for line in lines if abs(line.energy - strongest.energy) <= END * width]
    shares = detector.shares(np.array([line.energy for line in near]))
    counted = shares[:, blank.inside(np.asarray(detector.energies, np.float64))].sum(axis=1)
    sigma = float(np.dot([line.cross_section for line in near], counted))
    counts = sigma / atom * float(detector.solid_angle) / (4 * math.pi)
    return Standard(blank.line, blank.energy, width, counts, atom)


def as_geometry(found: list[Standard]) -> dict[str, Any]:
    """The standards as a file tells them."""
    if not found:
        return {}
    return {
        "standard_lines": np.array([one.line for one in found]),
        "standard_energy [eV]": np.array([one.energy for one in found]),
        "standard_resolution [eV]": np.array([one.resolution for one in found]),
        "standard_counts [m^2/kg]": np.array([one.counts for one in found]),
        "standard_atom [kg]": np.array([one.atom for one in found]),
    }


def survived(found: list[Standard], energy: float, columns: Columns, grid: Grid) -> dict[str, Any]:
    """Share of each line's light that neither the beam's own attenuation nor absorption on the way out takes away."""
    voxels = columns.voxels
    if not found or not len(voxels.materials):
        return {}
    metres = columns.mean(voxels.inside.sum(axis=1, dtype=np.float64))
    symbols = [one.line.split("_")[0] for one in found]
    made = np.array([[m.number_densities.get(symbol, 0.0) for m in voxels.materials] for symbol in symbols])
    light = columns.mean(columns.light(grid, energy, [one.energy for one in found], made))
    thin = made @ metres
    return {"standard_survived": np.where(thin > 0, light / np.where(thin > 0, thin, 1), 1.0)}


def mean_density(columns: Columns) -> float:
    """Area density [kg/m^2] of everything, on the average over the grid of the voxels."""
    materials = columns.voxels.materials
    metres = columns.mean(columns.voxels.inside.sum(axis=1, dtype=np.float64)) if len(materials) else np.zeros(0)
    return float(sum(m.density * t for m, t in zip(materials, metres, strict=True)))
