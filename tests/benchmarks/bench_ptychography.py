"""400 ptychography frames of 256 x 256, against one bare in-place FFT of 256 x 256 a frame. Run this file.

The floor: scipy.fft on complex64, in place, one transform a frame, all frames in one call with two workers. The frames
themselves need more than that: the probe's fraction of a pixel, the product with the object, the modulus, and a
window 1 + b times finer (b: the probe's band over the detector's), so that nothing folds back at the edges.
"""

import os
import warnings

import numpy as np
from scipy import fft
from taking_turns import shortest

from xsim.instruments.ptychography import Ptychography
from xsim.specimen.specimen import Specimen
from xsim.streams import StreamKey

SIZE, FRAMES, PHOTONS = 256, 400, 1e6
WORKERS = os.cpu_count()


def instrument(outermost_zone="50 nm"):
    """About 400 points of a spiral; 10^6 photons a frame."""
    return Ptychography.model_validate(
        {
            "field": ["4 um", "4 um"],
            "step": "200 nm",
            "flux": f"{PHOTONS * 10} 1/s",
            "zone_plate": {"outermost_zone": outermost_zone, "diameter": "100 um", "thickness": "700 nm"},
            "detector": {"kind": "photon_counter", "shape": [SIZE, SIZE]},
        }
    )


def specimen():
    """Gold dots on a membrane."""
    dots = {
        "name": "dots",
        "material": "gold",
        "shape": {"kind": "sphere", "radius": "60 nm"},
        "count": 300,
        "placement": {"kind": "random", "minimum_gap": "5 nm"},
    }
    layers = [{"material": "silicon_nitride", "thickness": "200 nm"}]
    return Specimen.from_table({"extent": ["5 um", "5 um"], "layers": layers, "population": [dots]})


def floor(waves):
    """One transform a frame, in place, nothing else."""
    fft.fft2(waves, axes=(-2, -1), overwrite_x=True, workers=WORKERS)


def main(rounds=5):
    """Print seconds and ratios; the works take turns, and the best of each counts, so that other load cancels."""
    waves = np.zeros((FRAMES, SIZE, SIZE), np.complex64)
    works = {"floor": lambda: floor(waves)}
    for zone in ("100 nm", "50 nm"):
        one = instrument(zone)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            prepared = one.prepare(specimen())
        frames = one.frames().take(slice(0, FRAMES))
        state = prepared.at(one.energy)[0][1]
        exposure = prepared.expose(frames)
        window, terms = state.window.shape[0], state.kernel.terms
        name = f"{len(frames)} frames, zone plate {zone}, window {window}, {terms} terms a shift"
        works[name] = lambda prepared=prepared, frames=frames: prepared.expose(frames)
        works[f"{name}, with noise"] = lambda prepared=prepared, frames=frames, one=one: one.detector.read(
            prepared.expose(frames), StreamKey(1, "bench")
        )
        print(f"{exposure.expected.sum() / len(frames):.3g} photons a frame on the detector")
    best = shortest(works, rounds)
    for name, seconds in best.items():
        print(f"{name}: {seconds:.3f} s = {seconds / best['floor']:.2f} of the floor")


if __name__ == "__main__":
    main()
