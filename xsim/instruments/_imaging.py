"""What an instrument asks of its detector: pixels where it records an image, plain counts where it scans a point."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator

from xsim.errors import RangeError
from xsim.model import Plugin


def _pixelled(value: Any) -> Any:
    if value is not None and not (hasattr(value, "shape") and hasattr(value, "pixel")):
        raise RangeError(
            "this instrument needs a detector with pixels",
            value=getattr(value, "kind", repr(value)),
            allowed="camera, photon_counter",
            cure='use a preset such as detector = "eiger_500k"',
        )
    return value


def _flat(value: Any) -> Any:
    if getattr(value, "displaced", False):
        raise RangeError(
            "this instrument takes pixels to lie on one regular lattice",
            field="modules",
            value="modules with shift or tilt",
            allowed="shift and tilt of 0",
            cure="leave shift and tilt out, or use single_particle",
        )
    return _pixelled(value)


#: the field of a detector with `shape` (ny, nx) and `pixel` [m]
ImagingDetector = Annotated[Any, Plugin("detectors"), AfterValidator(_flat)]

#: the same where modules may stand off that lattice, for instruments that go by the true place of each pixel
PlacedDetector = Annotated[Any, Plugin("detectors"), AfterValidator(_pixelled)]


def _counting(value: Any) -> Any:
    if value is not None and (value.counts_unit != "counts" or value.counts_axes(())):
        raise RangeError(
            "this instrument needs a detector that counts photons, all alike",
            value=value.kind,
            allowed="photon_counter",
            cure='use a preset such as detector = "avalanche_photodiode"',
        )
    return value


#: the field of a detector that counts the photons of each point or segment
CountingDetector = Annotated[Any, Plugin("detectors"), AfterValidator(_counting)]
