"""What the methods that phase a single pattern share: their knobs, and the reconstruction that many starts make."""

from __future__ import annotations

from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from xsim.exposure import Array, Axis, Measurement, Truth
from xsim.metrics.prtf import prtf, transfer_limit
from xsim.model import Model
from xsim.reconstruct import _starts
from xsim.reconstruct._data import refuse, single_energy
from xsim.reconstruct._pattern import Pattern, moduli
from xsim.reconstruct._phasing import Constraint, Rule
from xsim.reconstruct._protocol import Reconstruction
from xsim.streams import StreamKey, generator


class Lensless(Model):
    """iterations of the rule, then `refine` of error reduction; starts: independent random starts.

    constraint: on w = psi/psi_0 - 1 within the support. "quadrant": Re w <= 0, Im w <= 0, where any matter in vacuum
    lies while it delays the phase by less than pi. "real": one phase throughout, as behind a single material of one
    thickness or behind any weak object; rules out most false solutions. "none": whatever the support holds.
    threshold, blur [pixels, at first and in the end], shrink_every: of the support; seed: of the starts.
    """

    techniques: ClassVar[tuple[str, ...]] = ("cdi",)
    rule: ClassVar[Rule]
    name: ClassVar[str]

    iterations: Annotated[int, Field(ge=1, le=100_000)] = 300
    refine: Annotated[int, Field(ge=1, le=100_000)] = 40
    starts: Annotated[int, Field(ge=1, le=1000)] = 4
    beta: Annotated[float, Field(gt=0.5, le=1)] = 0.9
    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.1
    blur: tuple[Annotated[float, Field(gt=0)], Annotated[float, Field(gt=0)]] = (4.0, 1.5)
    shrink_every: Annotated[int, Field(ge=1)] = 20
    constraint: Constraint = "quadrant"
    seed: Annotated[int, Field(ge=0)] = 1

    def accepts(self, measurement: Measurement) -> str:
        """Why it cannot reconstruct this measurement; empty if it can."""
        if len(measurement.axes) != 2:
            return "its frames are not images"
        if measurement.settings.get("profile", "flat") != "flat":
            return "its beam is finite, and hides a weak object in its own light; scan it (ptychography)"
        others = [axis.name for axis in measurement.frames.axes if not axis.name.startswith("repeat")]
        return f"it scans {', '.join(others)}" if others else single_energy(measurement)

    def __call__(self, measurement: Measurement) -> Reconstruction:
        """The exit wave less one (y, x). Raises FileError if this is no single pattern of a flat beam."""
        kind: str = self.kind  # type: ignore[attr-defined]
        refuse(measurement, kind, self.accepts(measurement))
        return self.phased(moduli(measurement), kind)

    def phased(self, pattern: Pattern, kind: str) -> Reconstruction:
        """The image behind `pattern` from all starts together."""
        recipe = _starts.Recipe(
            self.rule,
            self.iterations,
            self.refine,
            self.beta,
            self.threshold,
            self.blur,
            self.shrink_every,
            self.constraint,
        )
        key = StreamKey(self.seed, f"reconstruct/{kind}/start")
        found = [_starts.run(pattern, recipe, generator(key, k)) for k in range(self.starts)]
        return self._result(pattern, found)

    def _result(self, pattern: Pattern, found: list[_starts.Start]) -> Reconstruction:
        kept = _starts.chosen(found)
        images = _starts.aligned(kept)
        image = images.mean(axis=0)
        names = "zyx"[-image.ndim :]
        axes = tuple(
            Axis(name, (np.arange(n) - n // 2) * pattern.pixel, "m") for name, n in zip(names, image.shape, strict=True)
        )
        support = _starts.fftshift_all(kept[0].support).astype(np.uint8)
        extras = {"support": Truth(support, axes), "modulus_errors": Truth(np.array([one.error for one in found]), ())}
        numbers: dict[str, float] = {"modulus_error": kept[0].error, "starts_kept": float(len(kept))}
        if len(kept) > 1:
            frequency, curve = prtf(images, pattern.pixel)
            extras["prtf"] = Truth(curve, (Axis("frequency", frequency, "1/m"),))
            numbers |= _limit(frequency, curve, len(kept))
        title = f"exit wave less one by {self.name}, mean of {len(kept)} starts"
        history = {"distance": kept[0].distances}
        return Reconstruction(image, axes, "", title, "exit_wave-1", history, extras=extras, numbers=numbers)


def _limit(frequency: Array, curve: Array, starts: int) -> dict[str, float]:
    """Half period down to which the starts agree; that of the detector's edge where they agree all the way."""
    return {"prtf_half_period [m]": 0.5 / (transfer_limit(frequency, curve, starts) or float(frequency[-1]))}
