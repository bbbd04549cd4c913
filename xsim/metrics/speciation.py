"""Scores of chemical maps against the truth: shares of species, classes, and spectra of regions.

True shares are the atoms of the absorbing element in each reference's material over those in all references, from the
true thickness of each material. Points count where the truth holds at least `LEAST` of its 99th percentile of them and
the map gives a share. A point is rightly classified if its largest share (or its cluster) is that of the truth.
Clusters have no names, so they are matched to the species that they cover best (Hungarian method).
"""

from __future__ import annotations

import numpy as np

from xsim.errors import UnknownNameError
from xsim.exposure import Array, Axis, Truth
from xsim.metrics.against_truth import Comparison, common

#: part of the strongest points' atoms from which on a point holds something
LEAST = 0.1


def compare_shares(share: Truth, error: Truth, atoms: Truth, truths: dict[str, Truth]) -> list[Comparison]:
    """One comparison of the classes, with the scores, and one of each map of shares; none where the truth has no maps.

    share, error (materials, y, x); atoms (materials,): of the element per volume [1/m^3]. A single spectrum's shares
    are compared with those under its beam.
    """
    names = [str(name) for name in share.axes[0].values]
    single = np.ndim(share.values) == 1
    known = [truths.get(f"mean_thickness_{n}" if single else f"thickness_{n}") for n in names]
    if not any(one is not None for one in known):
        return []
    shape = next(np.shape(one.values) for one in known if one is not None)
    metres = np.stack([np.zeros(shape) if one is None else np.asarray(one.values, np.float64) for one in known])
    held = metres * np.asarray(atoms.values).reshape(-1, *(1,) * len(shape))
    if single:
        return [_single(names, np.asarray(share.values), np.asarray(error.values), held)]
    axes = next(one.axes for one in known if one is not None)
    mine, its, shared = common(share.axes[1:], axes)
    found, spread = (np.asarray(one.values, np.float64)[(slice(None), *mine)] for one in (share, error))
    held = held[(slice(None), *its)]
    total = held.sum(axis=0)
    counts = (total > LEAST * np.percentile(total, 99)) & np.isfinite(found).all(axis=0)
    true = np.where(counts, held / np.where(total > 0, total, 1), np.nan)
    a, b = found[:, counts], true[:, counts]
    numbers = _scores(a, b, spread[:, counts])
    classes = [np.where(counts, np.argmax(np.nan_to_num(one), axis=0) + 1.0, np.nan) for one in (found, true)]
    compared = [Comparison("speciation", classes[0], classes[1], shared, "", numbers)]
    for name, one, other in zip(names, found, true, strict=True):
        masked = np.where(counts, one, np.nan)
        rms = float(np.sqrt(np.mean((one[counts] - other[counts]) ** 2))) if counts.any() else float("nan")
        compared.append(Comparison(f"fraction_{name}", masked, other, shared, "", {"rms_error": rms}))
    return compared


def _scores(a: Array, b: Array, error: Array) -> dict[str, float]:
    if not a.size:
        return {"points": 0.0}
    u, v = a.ravel() - a.mean(), b.ravel() - b.mean()
    norm = float(np.linalg.norm(u) * np.linalg.norm(v))
    return {
        "rms_error": float(np.sqrt(np.mean((a - b) ** 2))),
        "correlation": float(u @ v) / norm if norm > 0 else 0.0,
        "rightly_classified": float(np.mean(np.argmax(a, axis=0) == np.argmax(b, axis=0))),
        "median_error_bar": float(np.median(error)),
        "points": float(a.shape[1]),
    }


def _single(names: list[str], share: Array, error: Array, held: Array) -> Comparison:
    true = held / held.sum()
    numbers = {"rms_error": float(np.sqrt(np.mean((share - true) ** 2)))}
    numbers |= {f"true_{name}": float(value) for name, value in zip(names, true, strict=True)}
    numbers |= {f"found_{name}": float(value) for name, value in zip(names, share, strict=True)}
    numbers["largest_error_in_bars"] = float(np.max(np.abs(share - true) / error))
    return Comparison("speciation", share, true, (), "", numbers, error)


def compare_classes(classes: Truth, energies: Array, truths: dict[str, Truth]) -> list[Comparison]:
    """Clusters (y, x), 0 for nothing, against the material of which there is most; none without maps that vary.

    Only materials count that absorb more at one of the `energies` [eV] than at a lower one: that have an edge there.
    """
    from scipy.optimize import linear_sum_assignment

    maps = {n.removeprefix("thickness_"): t for n, t in truths.items() if n.startswith("thickness_")}
    uneven = {n: t for n, t in maps.items() if np.ptp(t.values) > 0.01 * np.max(t.values)}
    varied = {n: t for n, t in uneven.items() if _has_edge(n, np.asarray(energies, np.float64))}
    if not varied:
        return []
    mine, its, shared = common(classes.axes, next(iter(varied.values())).axes)
    found = np.asarray(classes.values, np.int64)[mine]
    # what a class holds most of, each material counted in parts of what it has in its thickest points
    parts = np.stack([np.asarray(t.values, np.float64)[its] / np.percentile(t.values, 99.9) for t in varied.values()])
    true = np.argmax(parts, axis=0) + 1
    inside = (found > 0) & (parts.max(axis=0) > LEAST)
    if not inside.any():
        return []
    table = np.zeros((int(found.max()) + 1, len(varied) + 1))
    np.add.at(table, (found[inside], true[inside]), 1)
    rows, columns = linear_sum_assignment(-table[1:, 1:])
    names = dict(zip(rows + 1, columns + 1, strict=True))
    named = np.vectorize(lambda k: names.get(k, 0), otypes=[np.int64])(found)
    right = float(np.mean(named[inside] == true[inside]))
    pictures = [np.where(inside, one, np.nan) for one in (named, true)]
    numbers = {"rightly_classified": right, "points": float(inside.sum())}
    return [Comparison("classes", pictures[0], pictures[1], shared, "", numbers)]


def _has_edge(name: str, energies: Array) -> bool:
    """Whether a material of the library (any other: true) has an edge among ascending energies [eV]."""
    from xsim.matter import library

    try:
        mu = np.asarray(library.find(name).optics(energies).mu_total)
    except UnknownNameError:
        return True
    return bool(np.max(mu / np.minimum.accumulate(mu)) > 1.02)


def compare_regions(values: Array, error: Array, mask: Truth, energy: Axis, expected: Truth | None) -> list[Comparison]:
    """Spectra (regions, energies) against those of the noise-free stack in the same regions; none without a stack.

    mask (y, x): number of the region, -1 in the empty area.
    """
    if expected is None or np.ndim(expected.values) != 3:
        return []
    order = np.argsort(np.asarray(expected.axes[0].values), kind="stable") if expected.axes else slice(None)
    cube = np.asarray(expected.values, np.float64)[order]
    where = np.asarray(mask.values)
    if cube.shape != (len(energy), *where.shape):
        return []
    blank = cube[:, where == -1].mean(axis=1)
    found = []
    for k, (one, spread) in enumerate(zip(values, error, strict=True), start=1):
        true = -np.log(cube[:, where == k].mean(axis=1) / blank)
        numbers = {
            "chi2_per_point": float(np.mean(((one - true) / spread) ** 2)),
            "correlation": float(np.corrcoef(one, true)[0, 1]),
            "points": float(np.sum(where == k)),
        }
        found.append(Comparison(f"region_{k}", one, true, (energy,), "", numbers, spread))
    return found
