"""CXI 1.6, which is also NXcxi_ptycho: diffraction frames of ptychography, coherent diffraction and single particles.

Coordinates are those of CXI: z along the beam, the rows of a frame run along -y and its columns along -x, so
`basis_vectors` = [[0, -dy, 0], [-dx, 0, 0]]. `translation` [m] is the motion of the *sample*: for a beam at
(x, y) on the specimen, x along the columns and y along the rows of the object array, the sample has moved by
(+x, +y, 0) in these coordinates. Tilts of the specimen are rotations in `sample_1/transformations` [degree].
`corner_position` is the outer corner of the first pixel. `mask` uint32, 0 = good. `data_dark`: what a camera reads
without light. Energies in joule. Read by ptypy, cdtools, silx.
Reference: Maia, Nature Methods 9, 854 (2012), doi 10.1038/nmeth.2110; NXcxi_ptycho, https://manual.nexusformat.org.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np

from xsim.constants import E_CHARGE, wavelength
from xsim.exposure import Array, Measurement, lookup
from xsim.formats._entry import beam_center, entry_file, is_image, lacks_detector, need, need_pixel, tilt_axes
from xsim.formats._nexus import add_source, group, integer_type, link, plot, put, stream
from xsim.formats._pixels import bad_pixels
from xsim.formats._record import write_record

#: CXI: the pixel must not be used
MASK_INVALID = 1


class CXI:
    """CXI 1.6 = NXcxi_ptycho: frames of ptychography, coherent diffraction, single particles."""

    kind = "cxi"
    suffix = ".cxi"
    techniques: tuple[str, ...] = ("ptychography", "cdi", "single_particle")

    def accepts(self, measurement: Measurement) -> str:
        """Why this measurement cannot be written so; empty if it can."""
        if not is_image(measurement):
            return "its frames are not images [y, x]"
        if len(np.unique(measurement.frames["energy"])) > 1:
            return "it has more than one photon energy"
        return lacks_detector(measurement)

    def write(self, measurement: Measurement, path: Path | str, provenance: dict[str, Any]) -> None:
        """Write `measurement` to `path`. Raises FileError if its geometry lacks distance or pixel size."""
        pixel_y, pixel_x = need_pixel(measurement)
        distance = need(measurement, "the detector distance", "detector_distance", "distance")
        with entry_file(path, measurement, provenance, "NXcxi_ptycho", name="entry_1") as entry:
            entry.file.create_dataset("cxi_version", data=160)
            entry.file.create_dataset("number_of_entries", data=1)
            entry.attrs["default"] = "data_2"
            instrument = group(entry, "instrument_1", "NXinstrument")
            put(instrument, "name", measurement.name)
            _source_and_beam(instrument, measurement)
            detector = group(instrument, "detector_1", "NXdetector")
            detector.attrs["axes"] = ["translation", ".", "."]
            detector.attrs["signal"] = "data"
            dtype = integer_type(measurement.counts)
            data = stream(detector, "data", measurement.counts, dtype=dtype, unit=measurement.counts_unit)
            link(detector, "data_1", data)  # NXcxi_ptycho asks for the data under this name too
            put(detector, "x_pixel_size", pixel_x, "m")
            put(detector, "y_pixel_size", pixel_y, "m")
            put(detector, "distance", distance, "m")
            row, column = beam_center(measurement)
            put(detector, "beam_center_x", column * pixel_x, "m")
            put(detector, "beam_center_y", row * pixel_y, "m")
            put(detector, "basis_vectors", np.array([[0.0, -pixel_y, 0.0], [-pixel_x, 0.0, 0.0]]), "m")
            corner = np.array([(column + 0.5) * pixel_x, (row + 0.5) * pixel_y, distance])
            put(detector, "corner_position", corner, "m")
            put(detector, "mask", bad_pixels(measurement).astype(np.uint32) * MASK_INVALID)
            _dark(detector, measurement)
            put(detector, "count_time", np.asarray(measurement.frames["time"], np.float64), "s")
            shift = put(detector, "translation", translations(measurement), "m", interpretation="vector", axes="xyz")
            transformations = group(detector, "transformations", "NXtransformations")
            put(transformations, "vector", np.array([0.0, 0.0, 1.0]))
            self._views(entry, measurement, data, shift)
            write_record(entry, measurement, data)

    @staticmethod
    def _views(entry: h5py.Group, measurement: Measurement, data: h5py.Dataset, shift: h5py.Dataset) -> None:
        """data_1 as CXI wants it, data_2 as NXdata (CXI names both classes for one group), sample_1, monitor."""
        one = group(entry, "data_1", "NXcollection")
        link(one, "data", data)
        link(one, "translation", shift)
        part = group(entry, "sample_1", "NXsample")
        put(part, "name", "simulated specimen")
        link(group(part, "geometry_1", "NXcollection"), "translation", shift)
        moves = group(part, "transformations", "NXtransformations", vector=np.array([1.0, 0.0, 0.0]))
        two = group(entry, "data_2", "NXdata")
        link(two, "data", data)
        values = translations(measurement)
        for number, name in enumerate("xy"):
            vector = np.eye(3)[number]
            column = put(
                moves, name, values[:, number], "m", transformation_type="translation", vector=vector, depends_on="."
            )
            link(two, name, column)
        _tilts(part, moves, measurement)
        plot(two, "data", [".", ".", "."], "image")
        two.attrs["x_indices"] = two.attrs["y_indices"] = 0
        monitor = group(entry, "control", "NXmonitor")
        put(monitor, "data", np.asarray(measurement.incident, np.float64), "photons")


def _dark(detector: h5py.Group, measurement: Measurement) -> None:
    """Counts without light, of one frame or of all where they differ; left out where they are zero."""
    offset = lookup(measurement, "counts_offset")
    if offset is not None and np.any(offset):
        level = np.asarray(offset, np.float32)
        shape = measurement.counts.shape[-2:] if level.ndim == 0 else measurement.counts.shape
        stream(detector, "data_dark", np.broadcast_to(level[..., None, None], shape), unit=measurement.counts_unit)


def _tilts(part: h5py.Group, moves: h5py.Group, measurement: Measurement) -> None:
    """The turn of the specimen in each frame: right-handed about its x or y, which are -x and -y of CXI."""
    chain = [*tilt_axes(measurement).items()]  # the outermost scan turns first and is carried by the next one
    for number, (name, about) in enumerate(chain):
        turn = np.degrees(np.asarray(measurement.frames[name], np.float64))
        vector = np.array([-1.0, 0.0, 0.0] if about == "x" else [0.0, -1.0, 0.0])
        carrier = chain[number + 1][0] if number + 1 < len(chain) else "."
        put(moves, name, turn, "degree", transformation_type="rotation", vector=vector, depends_on=carrier)
    if chain:
        put(part, "depends_on", f"transformations/{chain[0][0]}")


def _source_and_beam(instrument: h5py.Group, measurement: Measurement) -> None:
    energy = float(measurement.frames["energy"][0])
    source = add_source(instrument, "source_1")
    put(source, "energy", energy * E_CHARGE, "J")
    put(source, "wavelength", float(wavelength(energy)), "m")
    beam = group(instrument, "beam_1", "NXbeam")
    put(beam, "energy", energy * E_CHARGE, "J")
    put(beam, "incident_beam_energy", energy * E_CHARGE, "J")
    spread = lookup(measurement, "energy_spread")
    put(beam, "incident_energy_spread", float(0.0 if spread is None else spread) * E_CHARGE, "J")
    put(beam, "incident_wavelength", float(wavelength(energy)), "m")


def translations(measurement: Measurement) -> Array:
    """Motion of the sample (frames, 3) [m] in CXI coordinates; zero where the beam does not scan."""
    columns = measurement.frames.columns
    result = np.zeros((len(measurement.frames), 3))
    for number, name in enumerate("xy"):
        if name in columns:
            result[:, number] = columns[name]
    return result
