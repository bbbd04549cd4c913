"""A tilt series, 180 angles x 512 x 512, of 1000 analytic spheres of radius 3 px: geometry alone, and the whole scan.

Run: python tests/benchmarks/bench_tilts.py
The floor samples the chord of every sphere at pixel centres (compiled, banded over the same threads) at every angle
and does nothing else. "maps" is `Specimen.rotated(...).thickness(...)`: exact pixel means, host displaced, layers
added. "scan" is what a tilt series does besides forming images: pose, slabs, sampling (`Scanned.prepare().at()`).
"""

from __future__ import annotations

import warnings

import numpy as np
from bench_thickness import floor as sampled
from taking_turns import shortest

from xsim.detectors.camera import Camera
from xsim.errors import XsimWarning
from xsim.instruments.full_field import FullField
from xsim.optics.condenser import Condenser
from xsim.scans.tilts import Tilts, rotation_about
from xsim.specimen.specimen import Specimen
from xsim.threads import thread_count
from xsim.waves.grid import Grid

PIXEL, SIZE, ANGLES, COUNT = 10e-9, 512, 180, 1000
TILTS = Tilts(start="-70 deg", stop="70 deg", count=ANGLES)


def specimen(ice: bool) -> Specimen:
    """The spheres, in vacuum or displacing a layer of ice."""
    rng = np.random.default_rng(1)
    places = rng.uniform(-1, 1, (COUNT * 3, 3)) * np.array([0.45, 0.45, 0.1]) * SIZE * PIXEL
    from scipy.spatial import cKDTree

    near = {j for _, j in cKDTree(places).query_pairs(6.01 * PIXEL)}
    places = places[[n for n in range(len(places)) if n not in near][:COUNT]]
    dots = {
        "name": "dots",
        "material": "gold",
        "shape": {"kind": "sphere", "radius": f"{3 * PIXEL!r} m"},
        "placement": {"kind": "at", "positions": [[f"{float(x)!r} m" for x in place] for place in places]},
    }
    layers = [{"material": "vitreous_ice", "thickness": "1.2 um"}] if ice else []
    return Specimen.from_table({"layers": layers, "population": [dots]})


def floor(body: Specimen, grid: Grid) -> None:
    """Pixel-centre sampling at every angle."""
    for angle in TILTS.angles():
        sampled(body.populations[0].moved(rotation_about("y", angle), np.zeros(3)).poses, grid, 3 * PIXEL)


def maps(body: Specimen, grid: Grid) -> None:
    """Thickness maps at every angle."""
    for angle in TILTS.angles():
        body.rotated(rotation_about("y", angle)).thickness(grid)


def scan(body: Specimen, model: str) -> None:
    """Every pose of a full-field tilt series prepared, no image formed."""
    lens = FullField(
        field=f"{SIZE * PIXEL!r} m", pixel=f"{PIXEL!r} m", wave_pixel=f"{PIXEL!r} m", model=model,
        condenser=Condenser(points=1), detector=Camera(shape=(SIZE, SIZE)),
    )  # fmt: skip
    scanned = TILTS.apply(lens)
    prepared = scanned.prepare(body)
    for values, _ in prepared.poses(scanned.frames()):
        prepared.at(values)


def main() -> None:
    """Print seconds and ratios."""
    warnings.simplefilter("ignore", XsimWarning)
    grid = Grid((SIZE, SIZE), PIXEL)
    bare, iced = specimen(False), specimen(True)
    times = shortest(
        {
            "floor (pixel centres)": lambda: floor(bare, grid),
            "maps in vacuum": lambda: maps(bare, grid),
            "maps in ice": lambda: maps(iced, grid),
            "scan in vacuum, projection": lambda: scan(bare, "projection"),
            "scan in ice, projection": lambda: scan(iced, "projection"),
        },
        rounds=3,
    )
    print(f"{ANGLES} tilts of {len(bare.populations[0])} spheres of 3 px on {SIZE} x {SIZE}, {thread_count()} threads")
    for name, seconds in times.items():
        print(f"{name}: {seconds:.2f} s = {seconds / times['floor (pixel centres)']:.2f} of the floor")


if __name__ == "__main__":
    main()
