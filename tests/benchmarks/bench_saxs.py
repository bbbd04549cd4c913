"""Small-angle frames against their floors: run with pytest-benchmark, or as a program, which prints the ratios.

A uniform sphere on 1024^2, expected and drawn, against evaluating its form factor there and drawing Poisson numbers
(numpy); a polydisperse 256^2 frame in milliseconds.
"""

from __future__ import annotations

import numpy as np
from taking_turns import shortest

from xsim.instruments.saxs import Saxs
from xsim.specimen.specimen import Specimen
from xsim.streams import StreamKey


def body(**more: object) -> Specimen:
    population = {"name": "p", "material": "gold", "shape": {"kind": "sphere", "radius": "12 nm"}, "count": 50}
    layers = [{"material": "water", "thickness": "2 um"}]
    table = {
        "extent": ["4 um", "4 um"],
        "layers": layers,
        "population": [{**population, "placement": {"kind": "random"}, **more}],
    }
    return Specimen.from_table(table, 1)


def main() -> None:
    """Print times and ratios."""
    detector = {"kind": "photon_counter", "shape": [1024, 1024], "pixel": "86 um"}
    large = Saxs.model_validate({"detector": detector, "flux": "1e13 1/s"})
    prepared, frames, rng = large.prepare(body()), large.frames(), np.random.default_rng(1)
    small = Saxs()
    many = small.prepare(body(size={"distribution": "lognormal", "relative_width": 0.1}))
    expected = prepared.expose(frames).expected[0, 0]
    x = np.linspace(0.01, 20, 1024 * 1024).reshape(1024, 1024)
    found = shortest(
        {
            "form factor": lambda: (3 * (np.sin(x) - x * np.cos(x)) / x**3) ** 2,
            "Poisson": lambda: rng.poisson(expected),
            "sphere": lambda: large.detector.read(prepared.expose(frames), StreamKey(1, "bench")),
            "polydisperse": lambda: many.expose(small.frames()),
        },
        12,
    )
    floor = found["form factor"] + found["Poisson"]
    print(f"sphere 1024^2, drawn: {found['sphere'] * 1e3:.1f} ms, {found['sphere'] / floor:.2f} of the floor (1.5)")
    print(f"polydisperse 256^2: {found['polydisperse'] * 1e3:.1f} ms (20)")


if __name__ == "__main__":
    main()
