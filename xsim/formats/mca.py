"""MCA: spectra as SPEC text, for PyMca and silx (export).

Scan 1 is the sum over all points, of each detector in turn; then one scan for each point, if there are few. A header
gives `#@CALIB a b c` (energy [keV] = a + b channel + c channel^2, of channel centres) and `#@CTIME preset live real`
[s]; counts follow as `@A` lines. Format: https://certif.com/spec_help/mca.html.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from xsim.exposure import Array, Measurement
from xsim.formats._channels import by_detector, calibration, detectors, lacks_channels, live_times, sum_spectra
from xsim.formats._entry import title_of
from xsim.formats._nexus import CONVENTION, times, version_of
from xsim.formats._text import write_lines

#: points whose spectra are written one by one; of larger maps the sum alone, the cube is for HDF5
POINTS = 4096
_PER_LINE = 16


class MCA:
    """MCA: spectra as SPEC text (export)."""

    kind = "mca"
    suffix = ".mca"
    #: an export only
    techniques: tuple[str, ...] = ()

    def accepts(self, measurement: Measurement) -> str:
        """Why this measurement cannot be written so; empty if it can."""
        return lacks_channels(measurement)

    def write(self, measurement: Measurement, path: Path | str, provenance: dict[str, Any]) -> None:
        """Write `measurement` to `path` as text."""
        write_lines(path, _lines(measurement, provenance))


def _lines(measurement: Measurement, provenance: dict[str, Any]) -> Iterator[str]:
    frames, counts = measurement.frames, by_detector(measurement, measurement.counts)
    columns = [name for name in frames.columns if name not in ("energy", "time")]
    date, many = times(measurement, provenance)[0], len(frames) > POINTS
    yield f"#F {measurement.name}.mca"
    yield f"#D {date}"
    yield f"#C {title_of(measurement, provenance)}"
    yield f"#C xsim {version_of(provenance)}, seed {measurement.seed}"
    yield f"#C scenario {provenance.get('scenario_hash', 'none')}"
    yield f"#C {CONVENTION}"
    if many:
        yield f"#C {len(frames)} points, more than {POINTS}: their sum alone"
    yield "#O0 " + "  ".join(columns)
    real, live = np.asarray(frames["time"], np.float64), live_times(measurement)
    sums, number = sum_spectra(measurement), 0
    names = _names(measurement)
    for k, name in enumerate(names):
        number += 1
        yield from _scan(f"{number} sum{name}", date, sums[k], measurement, (real.sum(), live[:, k].sum()))
    for point in range(0 if many or len(frames) == 1 else len(frames)):
        place = " ".join(f"{float(frames[column][point]):.9g}" for column in columns)
        for k, name in enumerate(names):
            number += 1
            clock = (real[point], live[point, k])
            yield from _scan(f"{number} point {point}{name}", date, counts[point, k], measurement, clock, place)


def _names(measurement: Measurement) -> list[str]:
    axis = detectors(measurement)
    return [""] if axis is None else [f" detector {name}" for name in axis.values]


def _scan(
    title: str, date: str, counts: Array, measurement: Measurement, clock: tuple[float, float], place: str = ""
) -> Iterator[str]:
    zero, width = calibration(measurement)
    yield ""
    yield f"#S {title}"
    yield f"#D {date}"
    if place:
        yield f"#P0 {place}"
    yield "#N 1"
    yield "#@MCA %16C"
    yield f"#@CHANN {len(counts)} 0 {len(counts) - 1} 1"
    yield f"#@CALIB {zero / 1e3:.9g} {width / 1e3:.9g} 0"
    real, live = clock
    yield f"#@CTIME {real:.9g} {live:.9g} {real:.9g}"
    rows = [" ".join(str(int(n)) for n in counts[i : i + _PER_LINE]) for i in range(0, len(counts), _PER_LINE)]
    yield "@A " + "\\\n ".join(rows)
