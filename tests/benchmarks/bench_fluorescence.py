"""A fluorescence map of 256 x 256 points: 10 elements and 31 scatter groups, 2048 channels, 1000 counts a point.

Steps: expected spectra (every channel of every point, let go chunk by chunk), counts with their Poisson numbers, counts
with dead time and pile-up, the file. Floors, measured in the same run: `numpy` draws one Poisson number for each
channel of a sixteenth of the points (x 16); `copy` writes zeros into a cube of counts once; `raw` writes the cube of
counts without compression. Run this file; `python bench_fluorescence.py memory` prints the peak memory of a whole run,
counts and file, in a process of its own.
"""

import resource
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

from xsim.detectors.silicon_drift import SiliconDrift
from xsim.exposure import Axis, Exposure, FrameTable, Measurement
from xsim.formats.nxfluo import NXfluo
from xsim.matter.lines import fluorescence_lines
from xsim.simulate.recording import Store, record
from xsim.streams import StreamKey

SIDE, ROWS, COUNTS, BEAM = 256, 8192, 1000.0, 15e3
ELEMENTS = ("Si", "P", "S", "K", "Ca", "Mn", "Fe", "Cu", "Zn", "Pb")
DETECTOR = {"noise": "60 eV", "channels": 2048, "width": "10 eV"}


class Map:
    """Expected photons of all points, factored: one smooth map for each line, and the lines' energies."""

    def __init__(self, counts=COUNTS):
        lines = [line for element in ELEMENTS for line in fluorescence_lines(element, BEAM) if line.energy > 1e3]
        compton = BEAM - 500 + 25.0 * np.arange(-15, 15)
        self.energy = np.array([line.energy for line in lines] + [*compton, BEAM])
        strength = np.array([line.cross_section for line in lines])
        of = np.array([ELEMENTS.index(line.element) for line in lines])
        strength /= np.bincount(of, strength)[of]
        y, x = np.mgrid[:SIDE, :SIDE] / SIDE
        maps = np.stack([1 + 0.9 * np.sin(2 * np.pi * (k % 4 * x + (k // 3) * y) + k) for k in range(len(ELEMENTS))])
        scatter = np.concatenate([np.exp(-0.5 * (np.arange(-15, 15) / 6) ** 2), [4.0]])
        scatter *= 0.3 * len(ELEMENTS) / scatter.sum()
        parts = [strength[g] * maps[of[g]] for g in range(len(lines))] + [s * np.ones((SIDE, SIDE)) for s in scatter]
        self.photons = np.stack([part.ravel() for part in parts], axis=1)
        self.photons *= counts / self.photons.sum(axis=1).mean()
        axes = tuple(Axis(name, 1e-7 * np.arange(SIDE), "m") for name in "yx")
        n = SIDE * SIDE
        columns = {"energy": np.full(n, BEAM), "time": np.full(n, 10e-3)}
        self.frames = FrameTable(columns, {"energy": "eV", "time": "s"}, axes, np.arange(n))

    def expose(self, frames):
        """The exposure of some points."""
        photons = self.photons[frames.index]
        return Exposure(photons, np.tile(self.energy, (len(frames), 1)), (), frames, np.ones(len(frames)))

    def pieces(self):
        """The points in chunks."""
        return [self.frames.take(slice(start, start + ROWS)) for start in range(0, SIDE * SIDE, ROWS)]


def expected(scene, detector):
    """The expectation of every channel of all points, each chunk let go before the next."""
    for piece in scene.pieces():
        detector.mean(scene.expose(piece))


def measured(scene, detector):
    """The counts of all points."""
    key, counts = StreamKey(1, "bench"), np.empty((SIDE * SIDE, detector.channels), np.int32)
    for piece in scene.pieces():
        counts[piece.index] = detector.read(scene.expose(piece), key)
    return counts


def measurement(scene, detector, counts):
    """The measurement that holds `counts`."""
    return Measurement(
        "map", "fluorescence", scene.frames, counts, "counts", detector.counts_axes(()), None, (),
        np.ones(len(counts)), {}, {}, {"kind": "fluorescence"}, 1,
    )  # fmt: skip


def seconds(work):
    """Wall time of one call [s]."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main(rounds=3):
    """Print the seconds of each step and its ratio to its floor; the works take turns and the best of each counts."""
    scene, plain = Map(), SiliconDrift(**DETECTOR)
    busy = SiliconDrift(**DETECTOR, dead_time="1 us", resolving_time="50 ns")
    print(f"{SIDE} x {SIDE} points, {scene.photons.shape[1]} groups, {plain.channels} channels")
    few, rng = scene.frames.take(np.arange(0, SIDE * SIDE, 16)), np.random.default_rng(1)
    part = plain.mean(scene.expose(few))
    counts = measured(scene, plain)
    lost = 1 - measured(scene, busy).sum() / counts.sum()
    print(f"{counts.sum() / len(counts):.0f} counts a point, {100 * lost:.1f} % less with dead time and pile-up")
    folder = Path(tempfile.mkdtemp())
    floor = np.empty_like(counts)

    def raw():
        with h5py.File(folder / "raw.h5", "w") as file:
            file["data"] = counts

    works = {
        "numpy": lambda: rng.poisson(part),
        "copy": lambda: floor.fill(0),
        "raw": raw,
        "expected spectra": lambda: expected(scene, plain),
        "counts": lambda: measured(scene, plain),
        "counts, dead time, pile-up": lambda: measured(scene, busy),
        "file": lambda: NXfluo().write(measurement(scene, plain, counts), folder / "map.nxs", {}),
    }
    best = dict.fromkeys(works, np.inf)
    for _ in range(rounds):
        for name, work in works.items():
            best[name] = min(best[name], seconds(work))
    best["numpy"] *= 16
    against = {"expected spectra": "copy", "counts": "numpy", "counts, dead time, pile-up": "numpy", "file": "raw"}
    for name, value in best.items():
        ratio = f" = {value / best[against[name]]:.2f} x {against[name]}" if name in against else " (floor)"
        print(f"{name}: {value:.2f} s{ratio}")
    print(f"file: {(folder / 'map.nxs').stat().st_size / 1e6:.0f} MB, the cube {counts.nbytes / 1e6:.0f} MB")
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def memory():
    """Peak memory of a run as `simulate` makes it, with its cube kept on disk, and of the file."""
    from types import SimpleNamespace

    scene, detector = Map(), SiliconDrift(**DETECTOR, dead_time="1 us", resolving_time="50 ns")
    job = SimpleNamespace(prepared=scene, detector=detector, key=StreamKey(1, "bench"))
    with tempfile.TemporaryDirectory() as folder:
        start, used = time.perf_counter(), time.process_time()
        store, pieces = Store(len(scene.frames), "map", Path(folder)), scene.pieces()
        for _ in store.gather(pieces, (record(job, piece) for piece in pieces)):
            pass
        middle, drawn = time.perf_counter(), time.process_time()
        NXfluo().write(measurement(scene, detector, store.counts), Path(folder) / "map.nxs", {})
        end, written = time.perf_counter(), time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"counts {middle - start:.2f} s ({drawn - used:.2f} s of CPU), file {end - middle:.2f} s", end=" ")
    print(f"({written - drawn:.2f} s of CPU), peak memory {peak:.0f} MB")


if __name__ == "__main__":
    memory() if sys.argv[1:] == ["memory"] else main()
