"""Whether what is looked at fits into what is seen of it."""

from __future__ import annotations

import warnings

import numpy as np

from xsim.errors import SamplingWarning
from xsim.specimen.specimen import Specimen


def warn_of_cut(specimen: Specimen, width: float, height: float) -> None:
    """Warn where a particle within the field of `width` x `height` [m] is larger than the field, and so is cut."""
    for population in specimen.populations:
        if not len(population):
            continue
        x, y = (np.abs(population.poses.positions[:, axis]) for axis in (0, 1))
        inside = (x - population.radii < width / 2) & (y - population.radii < height / 2)
        across = 2 * float(population.radii[inside].max(initial=0.0))
        if across > max(width, height) * (1 + 1e-9):
            warnings.warn(
                f"field: a particle of {population.name!r} is up to {across:.3g} m across, the field {width:.3g} x "
                f"{height:.3g} m: it is cut; use a field of {across:.3g} m or more, if all of it is to be seen",
                SamplingWarning,
                stacklevel=4,
            )


def warn_of_raster(specimen: Specimen, width: float, height: float, step: float, spot: float) -> None:
    """Warn where a scan of `width` x `height` [m] cuts a particle, or steps [m] leap over more than four spots [m].

    A spectrum of one point is no map: it may be taken from a part of a particle.
    """
    if max(width, height) < 1.5 * step:
        return
    warn_of_cut(specimen, width, height)
    if step > 4 * spot * (1 + 1e-9):
        warnings.warn(
            f"step: {step:.3g} m leaves gaps between spots of {spot:.3g} m: what lies in them is not seen; use a step "
            f"of at most {4 * spot:.3g} m, or defocus the optic",
            SamplingWarning,
            stacklevel=4,
        )
