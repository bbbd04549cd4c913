"""Weighted least squares of few columns at many points at once, with some of the amounts held at zero or above.

    min sum_e w_e (y_e - sum_m c_em x_m)^2,    x_m >= 0 for some m

The least-squares solution on the right set of columns is the constrained optimum (Lawson & Hanson, Solving Least
Squares Problems, doi 10.1137/1.9781611971217), and of few columns all sets can be tried: of those whose solution is
allowed, the one that takes most from the sum of squares is the optimum, exactly.

Counts N of mean B exp(-sum c x) are fitted by iterated reweighting (Newton's method for the Poisson likelihood, with
the noise of ln B added to the variance); McCullagh & Nelder, Generalized Linear Models, doi 10.1201/9780203753736.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from itertools import chain, combinations

import numpy as np

from xsim.errors import ValidityWarning
from xsim.exposure import Array

#: rounds of reweighting: the third already changes nothing where there is a photon in a point
ROUNDS = 5
#: chi^2 per degree of freedom above which a model is told to be worse than the noise
POOR = 1.3
#: and standard deviations of its noise that it must exceed one by
SURE = 4


@dataclass(frozen=True, eq=False)
class Combination:
    """Amounts (columns, points), their covariance (points, columns, columns) and chi^2 per degree of freedom (points,).

    The covariance is that of the fit without constraints.
    """

    amounts: Array
    covariance: Array
    chi2: Array


def combined(columns: Array, values: Array, weights: Array, bound: int) -> Combination:
    """columns (e, m), values and weights (e, p); the first `bound` amounts are at least zero."""
    scale = np.linalg.norm(columns, axis=0)
    unit = columns / scale
    normal = np.einsum("ei,ep,ej->pij", unit, weights, unit, optimize=True)
    right = np.einsum("ei,ep->pi", unit, weights * values, optimize=True)
    inverse = np.linalg.inv(normal)
    best = np.einsum("pij,pj->pi", inverse, right)
    _bounded(best, normal, right, bound)
    residual = values - unit @ best.T
    freedom = max(1, len(columns) - columns.shape[1])
    chi2 = np.sum(weights * residual**2, axis=0) / freedom
    return Combination((best / scale).T, inverse / scale[:, None] / scale[None, :], chi2)


def _bounded(best: Array, normal: Array, right: Array, bound: int) -> None:
    """Put the constrained optimum into `best` (p, m) where the free one is not allowed."""
    count = best.shape[1]
    bad = np.flatnonzero((best[:, :bound] < 0).any(axis=1))
    if not len(bad):
        return
    gain = np.full(len(bad), -np.inf)
    found = np.zeros((len(bad), count))
    free = range(bound, count)
    for kept in chain.from_iterable(combinations(range(bound), k) for k in range(bound)):
        chosen = [*kept, *free]
        if not chosen:
            amounts = np.zeros((len(bad), 0))
        else:
            part = normal[np.ix_(bad, chosen, chosen)]
            amounts = np.linalg.solve(part, right[np.ix_(bad, chosen)][..., None])[..., 0]
        taken = np.einsum("pi,pi->p", right[np.ix_(bad, chosen)], amounts)
        better = (amounts[:, : len(kept)] >= 0).all(axis=1) & (taken > gain)
        gain[better] = taken[better]
        row = np.zeros((int(better.sum()), count))
        row[:, chosen] = amounts[better]
        found[better] = row
    best[bad] = found


def counted_combination(
    columns: Array, counted: Array, blank: Array, variance: Array, bound: int, poisson: bool
) -> Combination:
    """Amounts whose attenuation exp(-columns x) of `blank` makes `counted` (e, p); variance: of ln blank.

    poisson: by the likelihood of counts, else by the densities ln(blank / counted) weighted by the counts themselves.
    """
    density = -np.log(counted / blank)
    found = combined(columns, density, 1 / (1 / counted + variance), bound)
    for _ in range(ROUNDS if poisson else 0):
        model = columns @ found.amounts
        expected = blank * np.exp(-model)
        working = model + (expected - counted) / expected
        found = combined(columns, working, 1 / (1 / expected + variance), bound)
    return found


def warn_of_misfit(every: Array, freedom: int) -> None:
    """Warn where chi^2 of `every` point (points,) tells in the middle that the model, not noise, limits the fit.

    freedom: degrees of each point. Noise alone scatters chi^2 of one by sqrt(2 / freedom), and a median by 1.25 times
    its share of that.
    """
    chi2 = float(np.median(every))
    scatter = 1.25 * np.sqrt(2 / max(freedom, 1) / len(every))
    limit = max(POOR, 1 + SURE * scatter)
    if chi2 > limit:
        warnings.warn(
            f"the fit is worse than its noise: chi^2 is {chi2:.3g} per degree of freedom where there is something, at "
            f"most {limit:.3g} expected, so error bars from the counts are too small by {np.sqrt(chi2):.3g} or more; a "
            "species may be missing from the references, energies shifted (shift = true), or the thickness uneven "
            "within the beam, whose mean transmission tells less than the mean thickness: use a finer beam there",
            ValidityWarning,
            stacklevel=4,
        )
