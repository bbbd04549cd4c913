"""Elements chosen from a sum spectrum alone: one at a time, each the one that the misfit of those before asks for most.

    z = c'W r / sqrt(c'W c - c'W D (D'W D)^-1 D'W c),    r = n - fitted, W = 1/fitted

c is the column of an element's lines, D those fitted already with scatter: z is the significance of the amount of c
(the score test), and lines that others explain give none. The largest is taken if it exceeds `LEAST` standard errors,
these widened by the root of chi^2 where the fit is worse than its noise; after that the fit is made anew. An element
stays if its amount is still significant beside all others. All lines count, so that one under another element's (gold's
L l under zinc's K alpha) does not hide it. Reference: Rao, Proc. Camb. Phil. Soc. 44, 50 (1948), doi
10.1017/S0305004100023987.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from xsim.exposure import Array

#: standard errors that an element must exceed
LEAST = 6.0
#: columns of all families of an element, and scatter with the fitted spectrum for some columns
Groups = Mapping[str, Array]
Fit = Callable[[list[Array]], tuple[dict[str, Array], Array]]


def chosen(candidates: Mapping[str, Groups], total: Array, inside: Array, fit: Fit, most: int) -> list[str]:
    """Names of `candidates` whose lines the spectrum `total` (channels,) shows in the channels `inside`, in that order.

    fit: of columns, giving those of scatter and the fitted spectrum; most: how many at most.
    """
    taken: list[str] = []
    while len(taken) < most:
        columns = [column for name in taken for column in candidates[name].values()]
        scatter, fitted = fit(columns)
        design = np.stack([*columns, *scatter.values()])[:, inside]
        misfit = _Misfit(design, total[inside], fitted[inside])
        scores = {
            (name, family): misfit.significance(column[inside])
            for name, groups in candidates.items()
            if name not in taken
            for family, column in groups.items()
        }
        if not scores:
            break
        (name, _), highest = max(scores.items(), key=lambda item: item[1])
        if highest < LEAST:
            break
        taken.append(name)
    return _lasting(taken, candidates, total, inside, fit)


def _lasting(taken: list[str], candidates: Mapping[str, Groups], total: Array, inside: Array, fit: Fit) -> list[str]:
    """Those of `taken` that are significant with all the others fitted too."""
    kept = list(taken)
    for name in taken:
        others = [column for other in kept if other != name for column in candidates[other].values()]
        scatter, fitted = fit(others)
        misfit = _Misfit(np.stack([*others, *scatter.values()])[:, inside], total[inside], fitted[inside])
        if max(misfit.significance(column[inside]) for column in candidates[name].values()) < LEAST:
            kept.remove(name)
    return kept


class _Misfit:
    """What a fit by the columns `design` (columns, channels) leaves of a spectrum, in standard errors."""

    def __init__(self, design: Array, total: Array, fitted: Array):
        self.root = 1 / np.sqrt(np.maximum(fitted, 1e-3 * max(fitted.max(), 1e-300) / len(fitted)))
        self.basis = np.linalg.qr((design * self.root).T)[0]
        left = (total - fitted) * self.root
        self.left = left - self.basis @ (self.basis.T @ left)
        channels = max(1, int(np.count_nonzero(fitted > 1)))  # those that expect nothing add nothing
        self.spread = np.sqrt(max(1.0, float(np.linalg.norm(self.left)) ** 2 / channels))

    def significance(self, column: Array) -> float:
        """Of more of `column` (channels,), in standard errors widened to the misfit; negative of less."""
        scaled = column * self.root
        alone = scaled - self.basis @ (self.basis.T @ scaled)
        size, whole = (float(np.linalg.norm(one)) for one in (alone, scaled))
        # a column that the others make up tells nothing
        if size < 1e-3 * whole:
            return 0.0
        return float(alone @ self.left) / size / self.spread
