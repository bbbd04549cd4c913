"""A stream of shots as orientation sorting needs it: the photons alone, the q of each pixel, and which frames are hits.

Frames are kept as lists of the pixels that got photons. A frame is blank if it has fewer photons than `least`, or than
a tenth of what the brightest tenth of the frames has: a missed particle leaves background alone.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from xsim.constants import wavenumber
from xsim.errors import FileError
from xsim.exposure import Array, Measurement, lookup
from xsim.reconstruct._data import bad_pixels, need, offsets, photons
from xsim.spill import BLOCK, blocks

#: a frame with less than this share of the photons of the brightest tenth is blank
BLANK = 0.1


@dataclass(frozen=True, eq=False)
class PhotonFrames:
    """The photons of the frames in the pixels that are used.

    starts (frames + 1,) int64, places (photons,) int32: used pixel of each entry, counts (photons,) float32; q (pixels,
    3) [rad/m] float64; share (pixels,): solid angle times polarisation, 1 for the mean pixel; solid_angle [sr]: what 1
    stands for; number (frames,): each frame's place in the stream.
    """

    starts: Array
    places: Array
    counts: Array
    q: Array
    share: Array
    solid_angle: float
    number: Array

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def totals(self) -> Array:
        """Photons of each frame (frames,)."""
        return np.asarray(np.diff(np.concatenate([[0.0], np.cumsum(self.counts, dtype=np.float64)])[self.starts]))

    @property
    def pattern(self) -> Array:
        """Mean photons per frame of each pixel (pixels,)."""
        return np.bincount(self.places, self.counts, len(self.q)) / max(1, len(self))

    def take(self, keep: Array) -> PhotonFrames:
        """The frames where keep (frames,) is true."""
        sizes = np.diff(self.starts)
        entries = np.repeat(keep, sizes)
        starts = np.concatenate([[0], np.cumsum(sizes[keep])])
        kept = self.places[entries], self.counts[entries]
        return replace(self, starts=starts, places=kept[0], counts=kept[1], number=self.number[keep])

    def within(self, edge: float) -> PhotonFrames:
        """The same frames with the pixels of |q| <= edge [rad/m] alone."""
        inside = np.linalg.norm(self.q, axis=1) <= edge
        index = np.cumsum(inside) - 1
        kept = inside[self.places]
        left = np.concatenate([[0], np.cumsum(kept)])[self.starts]
        places = index[self.places[kept]].astype(np.int32)
        pixels = {"q": self.q[inside], "share": self.share[inside]}
        return replace(self, starts=left, places=places, counts=self.counts[kept], **pixels)


def photon_frames(measurement: Measurement) -> PhotonFrames:
    """All frames of a stream, photons rounded to whole ones where a camera gave counts of another scale.

    Raises FileError where the geometry is not told.
    """
    bad = bad_pixels(measurement)
    (y, x), distance = offsets(measurement), need(measurement, "detector_distance", "distance")
    k = float(wavenumber(measurement.frames["energy"][0]))
    path = np.sqrt(x * x + y * y + distance**2)
    along = -k * (x * x + y * y) / (path * (path + distance))
    q = np.stack(np.broadcast_arrays(k * x / path, k * y / path, along), axis=-1)[~bad]
    solid_angle = need(measurement, "detector_pixel", "pixel") ** 2 * distance / path**3
    degree = lookup(measurement, "polarisation", "polarization")
    factor = 1.0 if degree is None else 1 - (1 + float(degree)) / 2 * (x / path) ** 2 - (1 - float(degree)) / 2 * (
        y / path) ** 2  # fmt: skip
    light = (solid_angle * factor)[~bad]
    sizes, places, counts = [], [], []
    for seen in _blocks(measurement):
        inside = seen[:, ~bad]
        frame, place = np.nonzero(inside)
        sizes.append(np.bincount(frame, minlength=len(seen)))
        places.append(place.astype(np.int32))
        counts.append(inside[frame, place].astype(np.float32))
    starts = np.concatenate([[0], np.cumsum(np.concatenate(sizes))])
    number = np.asarray(measurement.frames.index)
    mean = float(light.mean())
    return PhotonFrames(starts, np.concatenate(places), np.concatenate(counts), q, light / mean, mean, number)


def _blocks(measurement: Measurement):  # type: ignore[no-untyped-def]
    """Whole photons (frames, y, x) of the counts, some frames at a time."""
    exact = lookup(measurement, "counts_per_photon") is None and measurement.counts.dtype.kind in "iu"
    if exact:
        yield from (np.maximum(part, 0) for part in blocks(measurement.counts))
        return
    rows = max(1, BLOCK // (8 * int(np.prod(measurement.counts.shape[1:]))))
    for start in range(0, len(measurement.counts), rows):
        cut = slice(start, start + rows)
        part = replace(measurement, counts=measurement.counts[cut], frames=measurement.frames.take(cut))
        yield np.maximum(np.rint(np.nan_to_num(photons(part))), 0)


def hits(frames: PhotonFrames, least: float) -> Array:
    """Which frames (frames,) hold a particle. Raises FileError with the numbers if fewer than two do."""
    totals = frames.totals
    bright = float(np.quantile(totals, 0.9)) if len(totals) else 0.0
    limit = max(least, BLANK * bright)
    found = np.asarray(totals >= limit)
    if found.sum() < 2:
        top = float(totals.max()) if len(totals) else 0.0
        raise FileError(
            f"{len(totals)} frames hold {int(found.sum())} hits: the brightest has {top:.4g} photons",
            allowed=f"at least 2 frames of {limit:.4g} photons",
            cure="record more light per shot (flux, focus, distance), or lower least_photons with --set least_photons=",
        )
    return found
