"""What every reconstruction is: a frozen model of its knobs, called with a `Measurement`, returning a `Reconstruction`.

It sees the measurement alone: counts, axes, geometry, and the settings that an experimenter writes down. Each has
`kind`, `techniques` (the kinds of instrument it serves, the first method by name is their default) and
`accepts(measurement)`, which says why it cannot serve this one, or nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from xsim.exposure import Array, Axis, Measurement, Truth


@dataclass(frozen=True, eq=False)
class Reconstruction:
    """values with their axes and unit; error: standard error, the same shape, or None.

    estimates: what it is an estimate of, the name under which a truth file holds that ("object", "optical_density");
    history: curves over the iterations (an error that should fall); extras: by-products such as the probe; numbers:
    what the method says of itself without the truth, unit in the key.
    """

    values: Array
    axes: tuple[Axis, ...]
    unit: str
    title: str
    estimates: str
    history: dict[str, Array] = field(default_factory=dict)
    error: Array | None = None
    extras: dict[str, Truth] = field(default_factory=dict)
    numbers: dict[str, float] = field(default_factory=dict)


class Method(Protocol):
    """A reconstruction algorithm with its knobs."""

    kind: str
    techniques: tuple[str, ...]

    def accepts(self, measurement: Measurement) -> str:
        """Why it cannot reconstruct this measurement; empty if it can."""
        ...

    def __call__(self, measurement: Measurement) -> Reconstruction:
        """Reconstruct. Raises XsimError with a cure where `accepts` would object."""
        ...
