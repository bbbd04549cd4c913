"""Which pixels of an area detector must not be used: its mask, its gaps and the shadow of the beam stop."""

from __future__ import annotations

import numpy as np

from xsim.exposure import Array, Measurement, lookup
from xsim.formats._entry import beam_center, pixel_of
from xsim.spill import blocks


def bad_pixels(measurement: Measurement) -> Array:
    """Pixels (ny, nx) not to be used, true = bad: `masked_pixels`, and gaps (counts of -1 in any frame)."""
    bad = masked_pixels(measurement)
    least = getattr(measurement.counts, "least", None)
    if least is not None:
        bad |= least < 0
    elif measurement.counts.dtype.kind == "i":
        for block in blocks(measurement.counts):
            bad |= (block < 0).any(axis=0)
    return bad


def masked_pixels(measurement: Measurement) -> Array:
    """Pixels (ny, nx) that the geometry tells not to use, true = bad.

    Those of its "mask" (true = bad), and those whose centre lies behind the beam stop, a disc of
    "beam_stop_diameter" [m] round the direct beam.
    """
    shape = measurement.counts.shape[-2:]
    mask = lookup(measurement, "mask")
    bad: Array = np.zeros(shape, bool) if mask is None else np.asarray(mask, bool).reshape(shape).copy()
    stop, pixel = lookup(measurement, "beam_stop_diameter"), pixel_of(measurement)
    if stop is not None and pixel is not None and float(stop) > 0:
        (row, column), (ny, nx) = beam_center(measurement), shape
        y, x = (np.arange(ny) - row) * pixel[0], (np.arange(nx) - column) * pixel[1]
        bad |= np.hypot(y[:, None], x[None, :]) < float(stop) / 2
    return bad
