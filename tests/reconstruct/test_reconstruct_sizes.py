"""Sizes of spheres fitted back from scattering frames, with honest error bars, for every law of size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from xsim.errors import FileError
from xsim.exposure import Measurement
from xsim.instruments.saxs import Saxs
from xsim.reconstruct.size_fit import SizeFit, size_average
from xsim.simulate import simulate
from xsim.specimen.size_laws import nodes
from xsim.specimen.sizes import Size
from xsim.specimen.specimen import Specimen


def frame(law: str, width: float, **camera: Any) -> Measurement:
    population = {
        "name": "p", "material": "gold", "shape": {"kind": "sphere", "radius": "8 nm"}, "count": 30,
        "size": {"distribution": law, "relative_width": width}, "placement": {"kind": "random"},
    }  # fmt: skip
    table = {
        "extent": ["1 um", "1 um"],
        "layers": [{"material": "water", "thickness": "200 um"}],
        "population": [population],
    }
    one = {"flux": "1e12 1/s", "exposure_time": "30 s", "smear": True, "divergence": "0.2 mrad", "solvent": True}
    return simulate(Specimen.from_table(table, 1), Saxs.model_validate(one | camera), seed=3)


@pytest.mark.parametrize(("law", "width"), [("normal", 0.1), ("lognormal", 0.07)])
def test_mean_and_width_come_back_within_their_error_bars(law: str, width: float) -> None:
    measurement = frame(law, width)
    found = SizeFit.model_validate({"law": law, "bins": 120})(measurement)
    for value, error, name in zip(found.values, found.error, found.axes[0].values, strict=True):
        truth = float(measurement.truth[f"mean_particle_{name}"].values)
        assert abs(value - truth) < 4 * error + 2e-3 * truth
    assert found.numbers["chi2_per_bin"] < 1.5
    assert found.numbers["background"] == pytest.approx(1.63, rel=0.05)  # water, 0.0163 1/cm


def test_the_blur_left_out_would_look_like_a_wider_law() -> None:
    measurement = frame("normal", 0.05, divergence="1 mrad")
    right = SizeFit(bins=100)(measurement).numbers["relative_width"]
    geometry = {**measurement.geometry, "smeared": False}
    object.__setattr__(measurement, "geometry", geometry)
    assert SizeFit(bins=100)(measurement).numbers["relative_width"] > 1.2 * right
    assert right == pytest.approx(0.05, rel=0.05)


@pytest.mark.parametrize("law", ["normal", "lognormal", "schulz"])
def test_the_fit_averages_over_the_same_laws_as_the_specimen(law: str) -> None:
    q = np.linspace(1e7, 2e9, 50)
    s, w = nodes(Size.model_validate({"distribution": law, "relative_width": 0.12}), 20.0)
    x = q[:, None] * 8e-9 * s
    mean = (3 * (np.sin(x) - x * np.cos(x)) / x**3) ** 2 @ (w * s**6) / (w @ s**6)
    np.testing.assert_allclose(size_average(law, q, 8e-9, 0.12), mean, rtol=1e-4)


def test_too_few_photons_are_refused_with_their_number() -> None:
    with pytest.raises(FileError, match=r"too few photons.*bins with 10 photons.*expose longer"):
        SizeFit()(frame("normal", 0.1, flux="1e4 1/s", exposure_time="1 s", solvent=False))
