"""What is told before shots at single particles: speckles too fine, voxels too coarse, too much light."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from xsim.constants import wavelength
from xsim.detectors._sensor import efficiency
from xsim.errors import SamplingWarning, ValidityWarning
from xsim.instruments._saturation import warn_of_saturation
from xsim.instruments._shot_pixels import Pixels
from xsim.specimen.atoms import ANGSTROM, Q_MAX
from xsim.specimen.specimen import Specimen
from xsim.specimen.turning import reach

if TYPE_CHECKING:
    from xsim.instruments._shot_prepared import PreparedSingleParticle
    from xsim.instruments.aligned_stream import AlignedStream
    from xsim.instruments.single_particle import SingleParticle

#: photons absorbed per atom beyond which the undamaged particle is no longer a fair model
MAX_ABSORBED_PER_ATOM = 0.1
#: read noise in photons above which it makes counts of its own in one pixel of 160
NOISE = 0.2


def warn_if_undersampled(one: SingleParticle | AlignedStream, specimen: Specimen) -> None:
    """Warn with the number where speckles are narrower than two pixels."""
    diameter = 2 * reach(specimen)
    if diameter <= 0:
        return
    ratio = wavelength(one.energy) * one.distance / (one.detector.pixel * diameter)
    if ratio < 2:
        warnings.warn(
            f"{one.kind}: sampling ratio lambda z / (pixel x diameter) = {ratio:.3g}, limit 2; move the "
            f"detector to {one.distance * 2 / ratio:.3g} m or use pixels of {one.detector.pixel * ratio / 2:.3g} m",
            SamplingWarning,
            stacklevel=3,
        )


def warn_beyond_tables(one: SingleParticle | AlignedStream, specimen: Specimen, seen: Pixels) -> None:
    """Warn with the number where q goes beyond what voxels or form factors of atoms hold."""
    last = seen.q_end(one.energy)
    for p in specimen.populations:
        pitch = getattr(p.shape, "pitch", None) if p.shape.kind == "voxels" else None
        if pitch is not None and last * pitch > np.pi:
            warnings.warn(
                f"{one.kind}: q up to {last:.3g} rad/m, limit {np.pi / pitch:.3g} rad/m of voxels of {pitch:.3g} "
                f"m ({p.name}), beyond which their corners scatter; use a finer volume or move the detector away",
                SamplingWarning,
                stacklevel=3,
            )
        if p.shape.kind == "atoms" and last > Q_MAX:
            warnings.warn(
                f"{one.kind}: q up to {last * ANGSTROM:.3g} / Angstrom, limit {Q_MAX * ANGSTROM:.3g} / Angstrom "
                "of the tabulated form factors; move the detector away or lower the energy",
                ValidityWarning,
                stacklevel=3,
            )


def warn_beyond_linear(one: SingleParticle, specimen: Specimen) -> None:
    """Warn with the number where an atom absorbs so often that the particle does not stay undamaged."""
    if one.damage is not None:
        return
    worst = 0.0
    for material in specimen.materials:
        atoms = sum(material.number_densities.values())
        worst = max(worst, float(material.optics(one.energy).mu_photo) / atoms * one.fluence)
    if worst > MAX_ABSORBED_PER_ATOM:
        warnings.warn(
            f"single_particle: {worst:.3g} photons absorbed per atom in one shot, limit {MAX_ABSORBED_PER_ATOM:g} "
            "for an undamaged particle; lower the flux, widen the focus or raise the energy",
            ValidityWarning,
            stacklevel=3,
        )


def warn_of_light(one: SingleParticle, prepared: PreparedSingleParticle) -> None:
    """Warn where the first shot saturates its brightest pixel, or read noise looks like photons."""
    if one.damage is not None:  # which takes away an unknown share, at some cost
        return
    detector, frames = one.detector, one.frames()
    brightest = float(prepared.expose(frames.take(slice(0, 1))).expected.max())
    warn_of_saturation(detector, brightest, one.energy, one.exposure_time)
    stages = getattr(detector, "stages", ())
    if not stages:
        return
    charge = brightest * float(efficiency(detector.efficiency, np.array([one.energy]))[0]) * one.energy
    if charge > stages[-1].top:
        warnings.warn(
            f"detector: the brightest pixel expects {brightest:.3g} photons in the first shot, limit "
            f"{stages[-1].top / one.energy:.3g} photons of its last gain stage; use less fluence, a larger beam stop "
            "or a larger distance",
            ValidityWarning,
            stacklevel=3,
        )
    noise = stages[0].noise * detector.pair_energy / one.energy
    if noise > NOISE and detector.read_out == "photons" and detector.threshold <= 2.5 * noise:
        warnings.warn(
            f"detector: read noise of {noise:.2g} photons of {one.energy:.4g} eV, limit {NOISE:g} to tell one photon "
            f"from none at a threshold of {detector.threshold:g}; raise the threshold or the energy",
            ValidityWarning,
            stacklevel=3,
        )
