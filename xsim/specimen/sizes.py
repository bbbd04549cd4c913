"""Distributions of particle size: linear scales with mean 1, relative to the shape as described.

The mean *radius* of the population is then that of the shape, and `relative_width` is standard deviation over mean.
lognormal: ln s ~ N(-v/2, v) with v = ln(1 + w^2). normal: cut off below 0.05, hence w <= 0.3. schulz: the gamma
distribution of shape 1/w^2 and scale w^2. uniform: 1 -+ sqrt(3) w. triangular: 1 -+ sqrt(6) w. boltzmann: density
exp(-sqrt(2) |s - 1|/w), cut off below 0.05. list: given scales in order.
`draw` takes a sample; `xsim.specimen.size_laws` the averages over the law itself.
References: Aragon & Pecora 1976 (doi 10.1063/1.432528) for schulz; Johnson, Kotz & Balakrishnan 1994 for the others.
"""

from __future__ import annotations

import math
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from xsim.errors import RangeError, ScenarioError
from xsim.model import Model

FloatArray = NDArray[np.float64]

#: scale below which the normal and boltzmann distributions are cut off
SMALLEST = 0.05

#: largest relative width for which the distribution still has the stated mean and width
_WIDEST = {"lognormal": 2.0, "normal": 0.3, "schulz": 1.0, "uniform": 0.57, "triangular": 0.4, "boltzmann": 0.2}


class Size(Model):
    """How sizes vary within a population."""

    distribution: Literal["none", "lognormal", "normal", "schulz", "uniform", "triangular", "boltzmann", "list"] = (
        "none"
    )
    relative_width: float = 0.0
    scales: list[float] | None = None

    @model_validator(mode="after")
    def _consistent(self) -> Size:
        limit = _WIDEST.get(self.distribution)
        if limit is not None and not 0 < self.relative_width <= limit:
            raise RangeError(
                f"relative_width of a {self.distribution} distribution",
                field="relative_width",
                value=self.relative_width,
                allowed=f"> 0 and <= {limit:g} (standard deviation / mean)",
            )
        if limit is None and self.relative_width != 0:
            raise ScenarioError(
                f'relative_width has no meaning with distribution "{self.distribution}"',
                field="relative_width",
                value=self.relative_width,
                cure='name a distribution, such as "lognormal"',
            )
        if (self.distribution == "list") != (self.scales is not None):
            raise ScenarioError(
                'scales belong to distribution = "list", and only to it',
                field="scales",
                cure='give distribution = "list" and scales = [1.0, 0.9, ...]',
            )
        if self.scales is not None and not all(0 < s < math.inf for s in self.scales):
            raise RangeError("a relative size", field="scales", value=self.scales, allowed="> 0")
        return self

    def draw(self, count: int, rng: np.random.Generator) -> FloatArray:
        """Scales (count,) > 0."""
        if self.scales is not None:
            if len(self.scales) != count:
                raise ScenarioError(
                    "as many scales as particles are needed",
                    field="size.scales",
                    value=len(self.scales),
                    allowed=f"{count} scales",
                )
            return np.array(self.scales, np.float64)
        return _DRAW[self.distribution](count, self.relative_width, rng)


def _lognormal(count: int, w: float, rng: np.random.Generator) -> FloatArray:
    variance = math.log1p(w * w)
    return np.exp(math.sqrt(variance) * rng.standard_normal(count) - variance / 2)


def _normal(count: int, w: float, rng: np.random.Generator) -> FloatArray:
    out = 1 + w * rng.standard_normal(count)
    while (low := out < SMALLEST).any():
        out[low] = 1 + w * rng.standard_normal(int(low.sum()))
    return out


def _boltzmann(count: int, w: float, rng: np.random.Generator) -> FloatArray:
    out = rng.laplace(1.0, w / math.sqrt(2), count)
    while (low := out < SMALLEST).any():
        out[low] = rng.laplace(1.0, w / math.sqrt(2), int(low.sum()))
    return out


_DRAW: dict[str, Any] = {
    "none": lambda count, w, rng: np.ones(count),
    "lognormal": _lognormal,
    "normal": _normal,
    "schulz": lambda count, w, rng: rng.gamma(1 / w**2, w**2, count),
    "uniform": lambda count, w, rng: 1 + math.sqrt(3) * w * rng.uniform(-1, 1, count),
    "triangular": lambda count, w, rng: rng.triangular(1 - math.sqrt(6) * w, 1.0, 1 + math.sqrt(6) * w, count),
    "boltzmann": _boltzmann,
}
