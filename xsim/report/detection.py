"""The table of detection limits by line: what one point of a fluorescence map could have seen."""

from __future__ import annotations

from html import escape

from xsim.errors import XsimError
from xsim.exposure import Measurement
from xsim.metrics.line_limits import Calibration, of_measurement
from xsim.report.text import quantity_text, significant

#: lines in a table at most
MOST = 12


def detection_table(measurement: Measurement) -> str:
    """HTML of the limits of each line per point, at 5 % false alarms and misses; "" for what has none."""
    if Calibration.of(measurement.geometry) is None or not measurement.axes:
        return ""
    try:
        found = of_measurement(measurement)[-MOST:]
    except XsimError:
        return ""
    time = float(measurement.frames["time"].mean())
    rows = "".join(
        f"<tr><td>{escape(one.line.replace('_', ' '))}</td><td>{one.energy / 1e3:.3f} keV</td>"
        f"<td>{one.counts.background:.3g}</td><td>{one.counts.critical:.3g}</td><td>{one.counts.detection:.3g}</td>"
        f"<td>{1e5 * one.area_density:.3g} µg/cm²</td><td>{1e6 * one.concentration:.3g} ppm</td>"
        f"<td>{1e21 * one.mass:.3g} ag</td><td><b>{significant(one.atoms)}</b></td></tr>"
        for one in found
    )
    head = (
        "line|energy|background counts|decision|limit (net counts)|area density|by mass|in the spot|atoms in the spot"
    )
    cells = "".join(f"<th>{cell}</th>" for cell in head.split("|"))
    return (
        f"<h3>Detection limits of one point, {quantity_text(time, 's', 3)}</h3>"
        f"<table><tr>{cells}</tr>{rows}</table>"
        "<p class=small>5 % false alarms, 5 % misses (Currie, exact for few counts); background from the channels "
        "beside each line, of points that show none.</p>"
    )
