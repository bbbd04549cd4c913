"""Gain stages of adaptive pixels: which one reads a charge, and what read noise does to counted photons."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import field_validator
from scipy.interpolate import CubicSpline
from scipy.special import ndtr, pdtr

from xsim.errors import RangeError
from xsim.model import Model
from xsim.units import Energy


class Stage(Model):
    """One gain: `gain` [ADC units per keV], `noise` [electrons rms], and the charge `top` [eV] up to which it reads."""

    gain: float
    noise: float
    top: Energy

    @field_validator("gain", "noise")
    @classmethod
    def _possible(cls, value: float, info: Any) -> float:
        if not (0 < value < np.inf or (value == 0 and info.field_name == "noise")):
            raise RangeError(f"{info.field_name} of a gain stage", value=value, allowed="> 0")
        return value


def check_stages(stages: Sequence[Stage], pedestal: float, top: int) -> None:
    """Refuse stages out of order, or that overflow the ADC before they hand over. Raises RangeError."""
    if not 1 <= len(stages) <= 4:
        raise RangeError("number of gain stages", field="stages", value=len(stages), allowed="1 .. 4")
    for number, (one, two) in enumerate(pairwise(stages)):
        if not (two.top > one.top and two.gain < one.gain):
            raise RangeError(
                "gain stages out of order", field=f"stages[{number + 1}]",
                value=f"gain {two.gain:g}, top {two.top:g} eV",
                allowed=f"gain < {one.gain:g} and top > {one.top:g} eV", cure="list them from the most sensitive",
            )  # fmt: skip
    for number, stage in enumerate(stages):
        level = pedestal + stage.gain * stage.top / 1e3
        if not 0 <= pedestal < level <= top:
            raise RangeError(
                "a gain stage beyond the ADC", field=f"stages[{number}].top", value=f"{level:.6g} ADC units at its top",
                allowed=f"> pedestal and <= {top}", cure="lower its gain, top or the pedestal, or use more adc_bits",
            )  # fmt: skip


def stage_of(stages: Sequence[Stage], charge: NDArray[np.float64]) -> NDArray[np.int64]:
    """Number of the stage that reads each charge [eV]."""
    return np.searchsorted(np.array([stage.top for stage in stages[:-1]]), charge, side="left")


def false_counts(
    noise: NDArray[np.float64], step: NDArray[np.float64], threshold: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Counts that read noise adds on average to no photon, and to one (or more); noise and ADC step in photons."""
    width = np.maximum(np.asarray(noise, np.float64), 1e-12)

    def edge(count: int) -> NDArray[np.float64]:
        """Signal from which the rounded ADC value makes one count more than `count`."""
        return np.asarray((np.ceil((count + threshold) / step - 1e-9) - 0.5) * step)

    none = sum(ndtr(-edge(k) / width) for k in range(4))
    one = sum(ndtr((1 - edge(k)) / width) for k in range(1, 5)) - ndtr((edge(0) - 1) / width)
    return np.asarray(none), np.asarray(one)


def counted(photons: NDArray[np.float64], ratio: NDArray[np.float64], threshold: float) -> NDArray[np.float64]:
    """Mean of floor(n ratio + 1 - threshold) over Poisson numbers n of mean `photons`; ratio: energy over nominal.

    Above 30 photons the floor of a number that lies evenly between whole ones; below from a table, 1e-6.
    """
    ratio = np.broadcast_to(ratio, photons.shape)
    found = photons * ratio + np.where(ratio == 1, 0.0, 0.5 - threshold)
    table = np.linspace(0, 30, 601)
    for one in np.unique(ratio[ratio != 1]).tolist():
        n = np.arange(1, 120)
        steps = np.diff(np.floor(np.arange(120) * one + 1 - threshold + 1e-9))
        mean = (steps[:, None] * (1 - pdtr(n[:, None] - 1, table))).sum(axis=0)  # Abel's summation
        chosen = (ratio == one) & (photons < table[-1])
        found[chosen] = CubicSpline(table, mean)(photons[chosen])
    return found
