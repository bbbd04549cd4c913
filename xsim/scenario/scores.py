"""The scores that a scenario asks of an instrument's image, worked out once it has been recorded."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from xsim.errors import RangeError, XsimError
from xsim.exposure import Array, Axis, Measurement


def scored(scores: Iterable[Any], measurement: Measurement) -> tuple[dict[str, float | None], list[str]]:
    """The numbers by name (None where there is none), and why scores could not be had."""
    found: dict[str, float | None] = {}
    said: list[str] = []
    for score in scores:
        try:
            if hasattr(score, "spectrum") or hasattr(score, "of_measurement"):
                whole = hasattr(score, "of_measurement")
                numbers = (
                    score.of_measurement(measurement) if whole else score.spectrum(*_spectrum(measurement, score.of))
                )
                found |= {name: float(value) if math.isfinite(value) else None for name, value in numbers.items()}
                continue
            images, axes = _images(measurement, score.of)
            if not score.frame < len(images):
                allowed = f"0 to {len(images) - 1}"
                raise RangeError("number of an image", field="frame", value=score.frame, allowed=allowed)
            numbers = score(images[score.frame], axes)
        except XsimError as error:
            found[score.name] = None
            said.append(f"no score {score.name}: {error}")
            continue
        found |= {name: float(value) if math.isfinite(value) else None for name, value in numbers.items()}
    return found, said


def _spectrum(m: Measurement, of: str) -> tuple[Array, Array]:
    """Ascending energies [eV] and densities of an absorption spectrum. Raises RangeError for anything else."""
    from xsim.exposure import one_channel
    from xsim.formats._spectrum import absorbance

    one = one_channel(m)
    if [axis.name for axis in one.frames.axes] != ["energy"] or one.axes:
        raise RangeError("not a spectrum", value=m.kind, allowed="an instrument of kind absorption with energies")
    if of == "expected" and one.expected is None:
        raise RangeError("the expectation was not kept", field="of", value=of, allowed='"counts"')
    energies = np.asarray(one.frames["energy"], np.float64)
    order = np.argsort(energies, kind="stable")
    if of == "expected":
        with np.errstate(divide="ignore"):
            density = np.log(np.asarray(one.incident, np.float64) / np.ravel(np.asarray(one.expected, np.float64)))
    else:
        density = absorbance(one)[0]
    return energies[order], density[order]


def _images(m: Measurement, of: str) -> tuple[Array, tuple[Axis, Axis]]:
    """Images (n, ny, nx) with their axes: a camera's frames, or the points of a raster. Raises RangeError."""
    if of == "expected" and m.expected is None:
        raise RangeError("the expectation was not kept", field="of", value=of, allowed='"counts"')
    axes = m.expected_axes if of == "expected" else m.axes
    values = m.expected if of == "expected" else _photons(m)
    assert values is not None
    if not axes:  # a point detector: the scan's last two axes make the image
        folded, axes = m.folded(np.asarray(values)), m.frames.axes
        values = folded.reshape(-1, *folded.shape[-2:]) if len(axes) > 1 else folded
    names = tuple(axis.name for axis in axes[-2:])
    if names != ("y", "x") or any(axis.unit != "m" for axis in axes[-2:]) or values.ndim != 3:
        raise RangeError("not an image", value=", ".join(names) or "one number", allowed="y, x in metres")
    return values, (axes[-2], axes[-1])


def _photons(m: Measurement) -> Array:
    from xsim.reconstruct._data import photons
    from xsim.reconstruct._flat_field import transmission

    return transmission(m) if m.flats is not None else photons(m)
