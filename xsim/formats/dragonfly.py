"""Dragonfly's photons and detector, for its own expand-maximise-compress program.

A `.emc` file holds photons as lists of pixels: 1024 bytes of header (int32: number of frames, number of pixels, zeros),
then int32 for each frame the number of pixels with one photon and the number with more, then for all frames in turn the
pixels with one photon, the pixels with more, and how many those have. `photons.h5` holds the same as lists of variable
length, one for each frame: `place_ones`, `place_multi`, `count_multi`, and `num_pix`. Beside either goes the detector,
NAME.det.h5 (`qx`, `qy`, `qz` in voxels, `corr` = solid angle times polarisation, `mask`: 0 good, 2 bad, `detd` in
pixels, `ewald_rad` in voxels), and NAME.ini that names both with the geometry. Pixels are numbered row by row. A voxel
is what a pixel near the beam covers, so that ewald_rad = detd.

Reference: Ayyer et al., J. Appl. Cryst. 49, 1320 (2016), doi 10.1107/S1600576716008165;
https://github.com/duaneloh/Dragonfly/wiki.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from xsim.constants import wavelength
from xsim.exposure import Array, Measurement, lookup
from xsim.formats._entry import beam_center, is_image, lacks_detector, need, need_pixel
from xsim.formats._nexus import to_json
from xsim.formats._pixels import bad_pixels
from xsim.spill import blocks

#: 32-bit words of the header
HEADER = 256


class DragonflyEmc:
    """Dragonfly's sparse binary file of photons, with its detector and configuration."""

    kind = "dragonfly_emc"
    suffix = ".emc"
    techniques: tuple[str, ...] = ()

    def accepts(self, measurement: Measurement) -> str:
        """Why this measurement cannot be written so; empty if it can."""
        return _reason(measurement)

    def write(self, measurement: Measurement, path: Path | str, provenance: dict[str, Any]) -> None:
        """Write the photons to `path`, and NAME.det.h5 and NAME.ini beside it."""
        path = Path(path)
        ones, multi, photons = [], [], []
        for frame in _frames(measurement):
            more = np.flatnonzero(frame > 1)
            single = np.flatnonzero(frame == 1)
            ones.append(len(single))
            multi.append(len(more))
            photons.append((single, more, frame[more]))
        header = np.zeros(HEADER, "<i4")
        header[:2] = len(ones), _pixels(measurement)
        with path.open("wb") as file:
            for array in (header, ones, multi, *(part for lists in zip(*photons, strict=True) for part in lists)):
                file.write(np.asarray(array, "<i4").tobytes())
        _beside(measurement, path, provenance)


class DragonflyH5:
    """Dragonfly's HDF5 file of photons, with its detector and configuration."""

    kind = "dragonfly_h5"
    suffix = ".h5"
    techniques: tuple[str, ...] = ()

    def accepts(self, measurement: Measurement) -> str:
        """Why this measurement cannot be written so; empty if it can."""
        return _reason(measurement)

    def write(self, measurement: Measurement, path: Path | str, provenance: dict[str, Any]) -> None:
        """Write the photons to `path`, and NAME.det.h5 and NAME.ini beside it."""
        path = Path(path)
        count = len(measurement.frames)
        with h5py.File(path, "w") as file:
            file["num_pix"] = np.array([_pixels(measurement)], "<i4")
            kind = h5py.vlen_dtype(np.dtype("<i4"))
            names = ("place_ones", "place_multi", "count_multi")
            lists = [file.create_dataset(name, (count,), dtype=kind) for name in names]
            for number, frame in enumerate(_frames(measurement)):
                more = np.flatnonzero(frame > 1)
                for data, values in zip(lists, (np.flatnonzero(frame == 1), more, frame[more]), strict=True):
                    data[number] = values.astype("<i4")
            file.attrs["provenance"] = to_json(provenance)
        _beside(measurement, path, provenance)


def _reason(measurement: Measurement) -> str:
    if not is_image(measurement):
        return "its frames are not images [y, x]"
    if len(np.unique(measurement.frames["energy"])) > 1:
        return "it has more than one photon energy"
    if measurement.counts.dtype.kind not in "iu" or lookup(measurement, "counts_per_photon") is not None:
        return "its counts are not photons"
    return lacks_detector(measurement)


def _frames(measurement: Measurement) -> Iterator[Array]:
    """Photons (pixels,) of each frame in turn, none in gaps."""
    for block in blocks(measurement.counts):
        yield from np.maximum(block, 0).reshape(len(block), -1)


def _pixels(measurement: Measurement) -> int:
    return int(np.prod(measurement.counts.shape[1:]))


def _beside(measurement: Measurement, path: Path, provenance: dict[str, Any]) -> None:
    """The detector and the configuration of the photons in `path`."""
    pixel, _ = need_pixel(measurement)
    distance = need(measurement, "the detector distance", "detector_distance", "distance")
    (row, column), (ny, nx) = beam_center(measurement), measurement.counts.shape[-2:]
    detd = distance / pixel
    y, x = (np.arange(ny) - row)[:, None], (np.arange(nx) - column)[None, :]
    path_length = np.sqrt(x * x + y * y + detd**2)
    degree = float(lookup(measurement, "polarisation", "polarization") or 0.0)
    polarised = 1 - (1 + degree) / 2 * (x / path_length) ** 2 - (1 - degree) / 2 * (y / path_length) ** 2
    columns = {
        "qx": x * detd / path_length,
        "qy": y * detd / path_length,
        "qz": -detd * (x * x + y * y) / (path_length * (path_length + detd)),
        "corr": detd / path_length**3 * polarised,
    }
    detector = path.with_suffix(".det.h5")
    with h5py.File(detector, "w") as file:
        for name, values in columns.items():
            file[name] = np.broadcast_to(values, (ny, nx)).ravel().astype("<f8")
        file["mask"] = (2 * bad_pixels(measurement)).astype("u1").ravel()
        file["detd"], file["ewald_rad"] = float(detd), float(detd)
        file.attrs["provenance"] = to_json(provenance)
    _configuration(measurement, path, detector, (pixel, distance))


def _configuration(measurement: Measurement, path: Path, detector: Path, lengths: tuple[float, float]) -> None:
    pixel, distance = lengths
    energy = float(measurement.frames["energy"][0])
    stop = float(lookup(measurement, "beam_stop_diameter") or 0.0) / 2 / pixel
    degree = float(lookup(measurement, "polarisation", "polarization") or 0.0)
    lines = [
        "[parameters]",
        f"detd = {distance * 1e3:.9g}",
        f"lambda = {float(wavelength(energy)) * 1e10:.9g}",
        f"detsize = {max(measurement.counts.shape[-2:])}",
        f"pixsize = {pixel * 1e3:.9g}",
        f"stoprad = {stop:.6g}",
        f"polarization = {'x' if degree > 0.5 else 'y' if degree < -0.5 else 'none'}",
        "",
        "[emc]",
        f"in_photons_file = {path.name}",
        f"in_detector_file = {detector.name}",
        "num_div = 6",
        "output_folder = data/",
        "log_file = EMC.log",
        "need_scaling = 1",
        "beta_factor = 1.0",
        "beta_schedule = 1.414 10",
        "",
    ]
    path.with_suffix(".ini").write_text("\n".join(lines), encoding="utf-8")
