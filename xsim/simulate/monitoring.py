"""What the beam monitor of an instrument counts while its frames are taken."""

from __future__ import annotations

from typing import Any

import numpy as np

from xsim.exposure import Array, FrameTable
from xsim.simulate.references import innermost
from xsim.streams import StreamKey


def monitored(instrument: Any, frames: FrameTable, incident: Array, key: StreamKey) -> dict[str, Any]:
    """For the geometry: counts of the monitor (frames,) and its counts per photon; nothing without a monitor.

    incident: photons (frames,) on the specimen. Each frame draws under (key, its number) alone.
    """
    core = innermost(instrument)
    monitor = getattr(core, "monitor", None)
    if monitor is None:
        return {}
    nominal = np.asarray(frames["energy"], np.float64)
    harmonics = getattr(core, "harmonics", None)
    shares = {1: 1.0} if harmonics is None else {1: harmonics.fundamental, **harmonics.orders}
    photons = np.asarray(incident, np.float64)[:, None] * np.array(list(shares.values()))
    energies = nominal[:, None] * np.array(list(shares))
    counts = monitor.read(photons, energies, frames.index, key)
    return {"monitor_counts": counts, "monitor_counts_per_photon": monitor.per_photon(nominal)}
