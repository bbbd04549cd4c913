"""Pictures and curves with scale bar, colour bar and units, drawn without any global state (Agg, object API).

A figure is rows of panels (`Picture` or `Curves`); `draw` lays them out, `png` gives the bytes, `save` writes a file.
Images have their origin below, so y grows upward, as in the grid that they were sampled on.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xsim.exposure import Array
from xsim.report.panels import Curves, Line, Panel, Picture, in_rows, thickness_pictures
from xsim.report.text import nice, power_of, prefix_of, significant, with_power

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CELL = 4.0  # inches that one panel takes
_BOX = 3.05  # inches of the picture within it
_LEFT, _TOP, _BELOW = 0.12, 0.42, 0.18
_CURVE_LEFT, _CURVE_BELOW = 0.62, 0.5
_MOST_PIXELS = 900
_COLOURS = ("#0b5fa5", "#d1495b", "#2e8b57", "#8a5cb8", "#c9822b")


def draw(rows: list[list[Panel]]) -> Figure:
    """A figure of rows of panels, CELL inches wide each."""
    from matplotlib.figure import Figure

    heights = [max(_height(panel) for panel in row) for row in rows]
    width, height = CELL * max(len(row) for row in rows), sum(heights)
    figure = Figure(figsize=(width, height), facecolor="white")
    top = height
    for row, row_height in zip(rows, heights, strict=True):
        for column, panel in enumerate(row):
            place = _Place(figure, column * CELL, top, row_height)
            if isinstance(panel, Picture):
                _draw_picture(place, panel)
            else:
                _draw_curves(place, panel)
        top -= row_height
    return figure


def png(figure: Figure, dpi: int = 120) -> bytes:
    """The figure as PNG bytes."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    buffer = io.BytesIO()
    FigureCanvasAgg(figure)
    figure.savefig(buffer, format="png", dpi=dpi, metadata={"Software": "xsim"})
    return buffer.getvalue()


def save(figure: Figure, path: Path | str, dpi: int = 120) -> None:
    """Write the figure as a PNG file."""
    Path(path).write_bytes(png(figure, dpi))


@dataclass(frozen=True)
class _Place:
    """Where a panel goes: inches from the left, its top edge, and the height of its row."""

    figure: Any
    left: float
    top: float
    height: float

    def axes(self, x: float, y_top: float, width: float, height: float) -> Axes:
        """Axes at x inches from the cell's left and y_top below its top."""
        whole = self.figure.get_size_inches()
        box = ((self.left + x) / whole[0], (self.top - y_top - height) / whole[1], width / whole[0], height / whole[1])
        made: Axes = self.figure.add_axes(box)
        return made


def _picture_box(panel: Picture) -> tuple[float, float]:
    ny, nx = panel.values.shape
    dy, dx = panel.pixel or (1.0, 1.0)
    wide, high = nx * dx, ny * dy
    scale = _BOX / max(wide, high)
    return max(wide * scale, 0.25), max(high * scale, 0.25)


def _height(panel: Panel) -> float:
    if isinstance(panel, Picture):
        return _TOP + _picture_box(panel)[1] + _BELOW
    return _TOP + 2.55 + _CURVE_BELOW


def _draw_picture(place: _Place, panel: Picture) -> None:
    from matplotlib import colormaps

    width, height = _picture_box(panel)
    axes = place.axes(_LEFT, _TOP, width, height)
    values, bins = _reduced(np.asarray(panel.values, np.float64))
    factor, unit = prefix_of(_size(values), panel.unit)
    if panel.scale != "log":
        power = power_of(_size(values) * factor)
        factor, unit = factor * 10.0**-power, with_power(power, unit)
    values = values * factor
    limits = None if panel.limits is None else (panel.limits[0] * factor, panel.limits[1] * factor)
    # grey: masked pixels and what is not known
    colours = colormaps["RdBu_r" if panel.scale == "symmetric" else panel.colours].with_extremes(bad="#9aa0a6")
    norm = _norm(values, panel.scale, limits)
    image = axes.imshow(
        np.where(values <= 0, norm.vmin, values) if panel.scale == "log" else values,
        origin="lower", cmap=colours, norm=norm, aspect="auto",
        interpolation="nearest" if max(values.shape) < 370 else "antialiased",
    )  # fmt: skip
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set(linewidth=0.6, color="#555")
    note = f"  (mean of {bins}×{bins} pixels)" if bins > 1 else ""
    axes.set_title(panel.title + note, fontsize=10, loc="left", pad=6)
    if panel.rings is not None:
        axes.plot(panel.rings[0] / bins, panel.rings[1] / bins, "o", ms=8, mfc="none", mec="white", mew=0.9)
    if panel.points is not None:
        axes.plot(panel.points[0] / bins, panel.points[1] / bins, "o", ms=3.2, color="#ff7f2a", mec="white", mew=0.4)
    if panel.pixel is not None:
        _scale_bar(axes, (panel.pixel[0] * bins, panel.pixel[1] * bins), values.shape, panel.length_unit)
    bar = place.axes(_LEFT + width + 0.08, _TOP, 0.11, height)
    colour_bar = place.figure.colorbar(image, cax=bar)
    colour_bar.ax.tick_params(labelsize=8, length=2)
    colour_bar.outline.set_linewidth(0.5)
    if panel.scale != "log":
        colour_bar.formatter.set_useOffset(False)
    if unit:
        colour_bar.set_label(unit, fontsize=9)


def _norm(values: Array, scale: str, limits: tuple[float, float] | None) -> Any:
    from matplotlib.colors import LogNorm, Normalize

    low, high = limits or colour_limits(values, scale)
    if scale == "log":
        return LogNorm(low, high, clip=True)
    return Normalize(low, high)


#: contrast below which a picture is told to be flat: rounding errors are no structure, and no counts would show less
FLAT = 1e-5


def colour_limits(values: Array, scale: str = "linear") -> tuple[float, float]:
    """Sensible ends of the colours for any values: constant, empty of signal, or with NaN."""
    finite = values[np.isfinite(values)]
    if scale == "log":
        finite = finite[finite > 0]
        if not finite.size:
            return 0.1, 1.0
        high = float(finite.max())
        low = max(float(finite.min()), high * 1e-6)
        return (low, high) if high > low else (high / 10, high)
    if not finite.size:
        return 0.0, 1.0
    # a few hot pixels must not darken the picture, unless they are what it shows
    low, high = (float(v) for v in np.percentile(finite, (0.2, 99.8)))
    if high - low < 0.05 * float(np.ptp(finite)):
        low, high = float(finite.min()), float(finite.max())
    if scale == "symmetric":
        high = max(abs(low), abs(high))
        low = -high
    if high - low <= FLAT * max(abs(high), abs(low)):
        pad = 0.5 * abs(high) or 0.5
        return low - pad, high + pad
    return low, high


def _size(values: Array) -> float:
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max()) if finite.size else 0.0


def _reduced(values: Array) -> tuple[Array, int]:
    """The picture averaged over square blocks until it fits the panel, and how many pixels wide a block is."""
    bins = max(1, math.ceil(max(values.shape) / _MOST_PIXELS))
    if bins == 1:
        return values, 1
    ny, nx = values.shape[0] // bins, values.shape[1] // bins
    if min(ny, nx) < 1:
        return values, 1
    return values[: ny * bins, : nx * bins].reshape(ny, bins, nx, bins).mean(axis=(1, 3)), bins


def _scale_bar(axes: Axes, pixel: tuple[float, float], shape: tuple[int, ...], unit: str) -> None:
    from matplotlib.patheffects import withStroke

    whole = shape[1] * pixel[1]
    factor, text = prefix_of(whole / 3.5, unit)
    length = nice(whole / 3.5 * factor)
    pixels = length / factor / pixel[1]
    outline = [withStroke(linewidth=2.5, foreground="black")]
    x, y = 0.05 * shape[1] - 0.5, 0.06 * shape[0] - 0.5
    axes.plot([x, x + pixels], [y, y], "-", color="white", lw=2.5, solid_capstyle="butt",
              path_effects=[withStroke(linewidth=4, foreground="black")])  # fmt: skip
    label = f"{significant(length)} {text}"
    axes.text(x, y + 0.025 * shape[0], label, color="white", fontsize=9, va="bottom", path_effects=outline)
    axes.set_xlim(-0.5, shape[1] - 0.5)
    axes.set_ylim(-0.5, shape[0] - 0.5)


def _draw_curves(place: _Place, panel: Curves) -> None:
    axes = place.axes(_CURVE_LEFT, _TOP, CELL - _CURVE_LEFT - 0.2, place.height - _TOP - _CURVE_BELOW)
    power = 0 if panel.log_y else power_of(max(_size(np.asarray(line.y, np.float64)) for line in panel.lines))
    for number, line in enumerate(panel.lines):
        _draw_line(axes, line, _COLOURS[number % len(_COLOURS)], 10.0**-power)
    if panel.log_x and any((np.asarray(line.x) > 0).any() for line in panel.lines):
        axes.set_xscale("log")
        _plain_decades(axes.xaxis)
    if panel.log_y and any((np.asarray(line.y) > 0).any() for line in panel.lines):
        axes.set_yscale("log", nonpositive="clip")
        _limit_decades(axes, panel)
        _plain_decades(axes.yaxis)
    elif not panel.log_y:
        axes.ticklabel_format(axis="y", useOffset=False, style="plain")
    for label, x in panel.marks.items():
        axes.axvline(x, color="#888", lw=0.6, ls=":")
        axes.text(x, 0.99, f" {label}", fontsize=7, color="#444", rotation=90, ha="right", va="top",
                  transform=axes.get_xaxis_transform())  # fmt: skip
    axes.set_title(panel.title, fontsize=10, loc="left", pad=6)
    axes.set_xlabel(panel.x_label, fontsize=9)
    axes.set_ylabel(with_power(power, panel.y_label), fontsize=9)
    axes.tick_params(which="both", labelsize=8)
    axes.grid(True, lw=0.3, color="#ccc")
    axes.spines[["top", "right"]].set_visible(False)
    if len(panel.lines) > 1:
        axes.legend(fontsize=8, frameon=False)


def _plain_decades(axis: Any) -> None:
    """Write 20, 50, 0.5 where a logarithmic axis is short and its numbers too: 2 x 10^1 takes all the room."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    low, high = axis.get_view_interval()
    if not (low >= 1e-3 and high < 1e5 and high < 300 * low):
        axis.set_minor_formatter(NullFormatter())
        return
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if high > 6 * low else (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def _draw_line(axes: Axes, line: Line, colour: str, factor: float) -> None:
    y = np.asarray(line.y, np.float64) * factor
    error = None if line.error is None else np.asarray(line.error, np.float64) * factor
    if line.points:
        axes.errorbar(line.x, y, error, fmt="o", ms=2.6, lw=0.7, color=colour, label=line.label, zorder=3)
        return
    if error is not None:
        axes.fill_between(line.x, y - error, y + error, color=colour, alpha=0.2, lw=0)
    axes.plot(line.x, y, "-", lw=1.3, color=colour, label=line.label)


def _limit_decades(axes: Axes, panel: Curves) -> None:
    """Keep error bars, empty bins and deep minima of a noise-free curve from stretching a logarithmic axis."""
    chosen = [line for line in panel.lines if line.points] or list(panel.lines)
    values = np.concatenate([np.asarray(line.y, np.float64) for line in chosen])
    positive = values[np.isfinite(values) & (values > 0)]
    if positive.size:
        low, high = float(positive.min()), float(positive.max())
        axes.set_ylim(max(low, high * 1e-7) / 2, high * 2)


__all__ = [
    "Curves",
    "Line",
    "Panel",
    "Picture",
    "colour_limits",
    "draw",
    "in_rows",
    "png",
    "save",
    "thickness_pictures",
]
