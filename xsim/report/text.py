"""Numbers and units as a reader wants them: SI prefixes, nice round lengths, escaped text."""

from __future__ import annotations

import html
import math

_PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
_TAKES_PREFIX = {"m", "eV", "s", "Gy", "J", "W", "Hz", "B"}
#: units that read better in another unit: SI unit -> (factor, what is written)
_CUSTOMARY = {"kg/m^2": (1e5, "µg/cm²"), "rad/m": (1e-9, "nm⁻¹"), "1/m": (1e-2, "cm⁻¹"), "kg/m^3": (1e-3, "g/cm³")}


def prefix_of(size: float, unit: str) -> tuple[float, str]:
    """(factor, unit text) that make values of about `size` readable: 2e-6, "m" -> (1e6, "µm")."""
    if unit in _CUSTOMARY:
        return _CUSTOMARY[unit]
    if unit not in _TAKES_PREFIX or not size or not math.isfinite(size):
        return 1.0, unit.replace("^2", "²").replace("^3", "³")
    power = min(12, max(-15, 3 * math.floor(math.log10(abs(size)) / 3 + 1e-9)))
    if unit == "Gy" and power < 0:
        power = 0
    return 10.0**-power, _PREFIXES[power] + unit


def quantity_text(value: float, unit: str, digits: int = 3) -> str:
    """A value with its unit, e.g. "1.23 µm", "12 kGy"."""
    if not math.isfinite(value):
        return "not known"
    factor, text = prefix_of(value, unit)
    return f"{significant(value * factor, digits)} {text}".strip()


def significant(value: float, digits: int = 3) -> str:
    """A number to so many significant digits without trailing zeros or an exponent where it is short."""
    if value == 0:
        return "0"
    if not math.isfinite(value):
        return str(value)
    if 1e-3 <= abs(value) < 1e5:
        decimals = max(0, digits - 1 - math.floor(math.log10(abs(value))))
        text = f"{value:.{decimals}f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa, power = f"{value:.{digits - 1}e}".split("e")
    return f"{mantissa.rstrip('0').rstrip('.')}·10{superscript(int(power))}"


def plain_number(value: float) -> str:
    """A score as people compare it: four digits, seven where they need no exponent (11919.23, an energy)."""
    return f"{value:.7g}" if 1e4 <= abs(value) < 1e7 else f"{value:.4g}"


def superscript(number: int) -> str:
    """An integer in superscript characters."""
    return str(number).translate(str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"))


def count_text(value: float) -> str:
    """A large number of photons or counts, e.g. "1.23·10⁹"; small ones in full."""
    if math.isfinite(value) and abs(value) < 1e5 and (value == int(value) or abs(value) >= 1000):
        return f"{round(value):,}".replace(",", " ")
    return significant(value, 4)


def duration_text(seconds: float) -> str:
    """Seconds as a duration: "12.3 s", "4 min 05 s", "2 h 03 min"."""
    if seconds < 120:
        return quantity_text(seconds, "s")
    if seconds < 7200:
        return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"


def power_of(size: float) -> int:
    """The power of ten to take out of numbers of about `size`, 0 where they read well as they are."""
    if not size or not math.isfinite(size) or 1e-2 <= abs(size) < 1e4:
        return 0
    return 3 * math.floor(math.log10(abs(size)) / 3 + 1e-9)


def with_power(power: int, unit: str) -> str:
    """The unit of numbers from which 10^power was taken out, e.g. "10⁶ counts"."""
    return f"10{superscript(power)} {unit}".strip() if power else unit


def nice(limit: float) -> float:
    """The largest of 1, 2, 5 times a power of ten that is <= limit (> 0)."""
    power = 10.0 ** math.floor(math.log10(limit) + 1e-12)
    return next(step * power for step in (5, 2, 1) if step * power <= limit * (1 + 1e-9))


def escape(text: object) -> str:
    """Text safe inside HTML and inside a quoted attribute."""
    return html.escape(str(text), quote=True)
