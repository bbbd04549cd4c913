"""What the stage of a scanning microscope really does: jitter, drift, and moving on during the exposure.

    r_j = commanded_j + drift t_j + jitter g_j,     I_j = mean over the path r_j + a u, -1/2 < a < 1/2, of I(r)

t_j the time since the scan began (frames before it times the exposure time), g_j independent standard normal numbers
per axis, drawn from a stream of its own keyed by the frame's number. In a fly scan the beam passes over one step u of
its row while a frame is exposed; the intensities on the way add up, worked out at `fly` places in the middle of equal
parts. Frame tables and files carry the commanded positions, as a beamline would write; the true ones are truth.
Reference for fly scans: Deng et al., Opt. Express 23, 5438 (2015), doi 10.1364/OE.23.005438.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from xsim.detectors._poisson import normal
from xsim.exposure import Axis, FrameTable, Truth
from xsim.model import Model
from xsim.streams import StreamKey
from xsim.units import NonNegativeLength, Speed

FloatArray = NDArray[np.float64]


class Motion(Model):
    """How a scan departs from its list of points. The default does not depart.

    jitter: rms error of the position along each axis [m]. drift: velocity (x, y) of the beam on the specimen [m/s].
    fly: places per frame along its path in a fly scan, 1 for a scan in steps. seed: of the jitter.
    """

    jitter: NonNegativeLength = 0.0
    drift: tuple[Speed, Speed] = (0.0, 0.0)
    fly: Annotated[int, Field(ge=1, le=64)] = 1
    seed: Annotated[int, Field(ge=0)] = 1

    @property
    def still(self) -> bool:
        """Whether the scan goes exactly where it is sent."""
        return self.jitter == 0 and self.drift == (0.0, 0.0) and self.fly == 1

    def positions(self, frames: FrameTable) -> tuple[FloatArray, FloatArray]:
        """Where the beam really is, in the middle of each exposure: (y (n,), x (n,)) [m]."""
        x, y = (np.array(frames[name], np.float64) for name in ("x", "y"))
        if self.drift != (0.0, 0.0):
            elapsed = frames.index * np.asarray(frames["time"], np.float64)
            x, y = x + self.drift[0] * elapsed, y + self.drift[1] * elapsed
        if self.jitter > 0:
            moved = self.jitter * normal((len(frames), 2), StreamKey(self.seed, "motion/jitter"), frames.index)
            x, y = x + moved[:, 0], y + moved[:, 1]
        return y, x

    def path(self, step: float) -> FloatArray:
        """Offsets (fly,) [m] along the fast axis at which a frame is worked out; step: length of the path [m]."""
        return np.asarray(((np.arange(self.fly) + 0.5) / self.fly - 0.5) * step)

    def truth(self, frames: FrameTable) -> dict[str, Truth]:
        """The true positions (frames, 2) [m] in the order x, y, where they are not the commanded ones."""
        if self.jitter == 0 and self.drift == (0.0, 0.0):
            return {}
        y, x = self.positions(frames)
        axes = (Axis("frame", frames.index), Axis("coordinate", np.array(["x", "y"])))
        return {"positions": Truth(np.stack([x, y], axis=1), axes, "m")}
