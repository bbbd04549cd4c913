"""Clusters: points of a stack whose spectra have the same shape, found without references.

The densities, each less its mean over the energies, are decomposed into principal components (singular value
decomposition). Points whose amplitude along the first is below Otsu's threshold hold nothing (class 0). The others are
divided by that amplitude, so that their thickness drops out, and put into classes by k-means on the next components,
each point weighted as its spectrum is; the starts are drawn by k-means++ from a stream of the measurement's seed, and
the best of several is kept. Classes are numbered by their size, largest first.

Few clusters of pure species; a mixture becomes a class of its own or is put to the nearest. References: Lerotic et
al., Ultramicroscopy 100, 35 (2004), doi 10.1016/j.ultramic.2004.01.008; Arthur & Vassilvitskii, k-means++ (2007).
"""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from xsim.errors import RangeError
from xsim.exposure import Array, Axis, Measurement, Truth
from xsim.model import Model
from xsim.reconstruct._data import refuse
from xsim.reconstruct._protocol import Reconstruction
from xsim.reconstruct._stack import Stack, contrast, stack, why_no_stack
from xsim.streams import StreamKey, generator


class Clusters(Model):
    """Classes of points by the shape of their spectra.

    classes: how many, besides the empty one; components: of the decomposition that tell them apart; starts: of k-means.
    """

    kind: Literal["clusters"] = "clusters"
    techniques: ClassVar[tuple[str, ...]] = ("stxm", "full_field", "microprobe")
    preference: ClassVar[int] = -1
    classes: Annotated[int, Field(ge=1, le=20)] = 3
    components: Annotated[int, Field(ge=1, le=20)] = 4
    starts: Annotated[int, Field(ge=1, le=200)] = 20

    def accepts(self, measurement: Measurement) -> str:
        """Why it cannot reconstruct this measurement; empty if it can."""
        return why_no_stack(measurement)

    def __call__(self, measurement: Measurement) -> Reconstruction:
        """Class of every point, 0 where there is nothing. Raises FileError, RangeError for too few points."""
        refuse(measurement, self.kind, self.accepts(measurement))
        spectra = stack(measurement)
        held = occupied(spectra)
        if held.sum() <= max(self.classes, self.components):
            allowed = f"more than {max(self.classes, self.components)}"
            raise RangeError("points that hold something", value=int(held.sum()), allowed=allowed, field="classes")
        scores, weights, kept = self._scores(spectra, held)
        labels = np.zeros(len(held), np.int64)
        labels[held] = self._classes(scores, weights, measurement.seed)
        return self._told(labels, spectra, kept)

    def _scores(self, spectra: Stack, held: Array) -> tuple[Array, Array, Array]:
        """Components 2 and on over the first (points held, components - 1), their weights, and the singular values."""
        changes = spectra.density[:, held]
        changes = changes - changes.mean(axis=0)
        _, values, v = np.linalg.svd(changes, full_matrices=False)
        count = min(self.components, len(values))
        amounts = values[:count, None] * v[:count]
        first = amounts[0] * np.sign(amounts[0].sum())
        strength = np.maximum(first, 1e-3 * np.median(np.abs(first)))
        return (amounts[1:] / strength).T, strength**2, values

    def _classes(self, scores: Array, weights: Array, seed: int) -> Array:
        """Class (points,) from 1, the largest first, by weighted k-means from several starts."""
        best, least = np.zeros(len(scores), np.int64), np.inf
        for start in range(self.starts):
            labels, misfit = _settled(scores, weights, self._start(scores, weights, seed, start))
            if misfit < least:
                best, least = labels, misfit
        sizes = np.bincount(best, minlength=self.classes)
        rank = np.empty(self.classes, np.int64)
        rank[np.argsort(-sizes, kind="stable")] = np.arange(self.classes)
        return rank[best] + 1

    def _start(self, scores: Array, weights: Array, seed: int, number: int) -> Array:
        draw = generator(StreamKey(seed, "clusters"), number)
        chance, centres = weights / weights.sum(), []
        for _ in range(self.classes):
            centres.append(
                scores[np.searchsorted(np.cumsum(chance), draw.random(), side="right").clip(0, len(scores) - 1)]
            )
            far = np.min([np.sum((scores - c) ** 2, axis=1) for c in centres], axis=0) * weights
            chance = far / far.sum() if far.sum() > 0 else weights / weights.sum()
        return np.array(centres)

    def _told(self, labels: Array, spectra: Stack, values: Array) -> Reconstruction:
        """The map, with the mean spectrum of each class and how strong the components are."""
        shape = spectra.shape
        known = np.arange(self.classes + 1)
        mean = np.stack([_mean(spectra, labels == k) for k in known])
        energy = Axis("energy", spectra.energies, "eV")
        extras = {
            "cluster_spectra": Truth(mean, (Axis("class", known), energy)),
            "singular_values": Truth(values, (Axis("component", np.arange(1, len(values) + 1)),)),
            "classes": Truth(labels.reshape(shape), spectra.axes),
        }
        sizes = {f"points_in_class_{k}": float(np.sum(labels == k)) for k in known}
        title = f"{self.classes} classes of spectra"
        return Reconstruction(
            labels.reshape(shape).astype(np.float64), spectra.axes, "", title, "classes", extras=extras, numbers=sizes
        )


def occupied(spectra: Stack) -> Array:
    """Points (points,) whose spectrum changes by more than Otsu's threshold."""
    from skimage.filters import threshold_otsu

    strength = contrast(spectra)
    return np.asarray(strength > threshold_otsu(strength)) if np.ptp(strength) > 0 else np.zeros(len(strength), bool)


def _mean(spectra: Stack, chosen: Array) -> Array:
    """Density of some points together (energies,), NaN of none."""
    if not chosen.any():
        return np.full(len(spectra.energies), np.nan)
    return np.asarray(-np.log(spectra.counted[:, chosen].sum(axis=1) / spectra.blank[:, chosen].sum(axis=1)))


def _settled(scores: Array, weights: Array, centres: Array) -> tuple[Array, float]:
    """Lloyd's iteration from `centres` until no point changes its class: labels (points,) and the weighted misfit."""
    labels = np.full(len(scores), -1)
    for _ in range(100):
        away = np.sum((scores[:, None] - centres[None]) ** 2, axis=2)
        new = np.argmin(away, axis=1)
        if np.array_equal(new, labels):
            break
        labels = new
        for k in range(len(centres)):
            mine = labels == k
            if mine.any():
                centres[k] = np.average(scores[mine], axis=0, weights=weights[mine])
    return labels, float(np.sum(weights * away[np.arange(len(scores)), labels]))
