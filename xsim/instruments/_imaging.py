"""What an instrument asks of its detector where it records an image: pixels."""

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


#: the field of a detector with `shape` (ny, nx) and `pixel` [m]
ImagingDetector = Annotated[Any, Plugin("detectors"), AfterValidator(_pixelled)]
