"""A PyMca configuration with the detector's parameters as the file tells them, and fits with it."""

from __future__ import annotations

from typing import Any

import numpy as np

from xsim.exposure import Measurement, lookup

#: eV per pair in PyMca's width law, where ours has 3.65
PYMCA_PAIR = 3.85


def configuration(m: Measurement, peaks: dict[str, list[str]], limits: tuple[float, float]) -> dict[str, Any]:
    """Lines `peaks` {"Fe": ["K"]} fitted between `limits` [keV]: Gaussian, short tail, step, escape; no free shape."""
    from PyMca5.PyMcaPhysics.xrf.ClassMcaTheory import McaTheory

    made = McaTheory().getStartingConfiguration()
    zero, gain = (lookup(m, name) / 1e3 for name in ("channel_zero", "channel_width"))
    zero += gain / 2  # PyMca's channels lie at their centres
    tail, shelf = lookup(m, "tail"), lookup(m, "shelf")
    fano, noise = lookup(m, "fano_factor"), lookup(m, "electronic_noise") / 1e3
    energy = sum(limits) / 2
    sigma = np.sqrt((noise / 2.3548) ** 2 + fano * 3.65e-3 * energy)
    gauss = 1 - tail - shelf
    detector = {"zero": zero, "gain": gain, "noise": noise, "fano": fano * 3.65 / PYMCA_PAIR, "sum": 0.0}
    made["detector"].update(detector, **{f"fixed{name}": 1 for name in detector}, detene=1.74, ithreshold=1e-9)
    made["peakshape"].update(
        st_arearatio=tail / gauss, st_sloperatio=lookup(m, "tail_length") / 1e3,
        step_heightratio=shelf / energy * sigma * np.sqrt(2 * np.pi) / gauss,
    )  # fmt: skip
    for name in ("st_arearatio", "st_sloperatio", "step_heightratio"):
        made["peakshape"][f"fixed{name}"] = 1
    beam = float(m.frames["energy"][0]) / 1e3
    made["fit"].update(
        energy=[beam], energyweight=[1.0], energyflag=[1], energyscatter=[0], scatterflag=0, sumflag=0,
        escapeflag=int(lookup(m, "escape")), hypermetflag=1 + 2 + 8, stripflag=0, continuum=1, linearfitflag=1,
        use_limit=1, xmin=int((limits[0] - zero) / gain), xmax=int((limits[1] - zero) / gain), fitweight=1,
    )  # fmt: skip
    made["peaks"] = peaks
    # the matrix is not described: PyMca's own line ratios, seen through a detector as ours
    made["attenuators"]["Detector"] = [1, "Si1", 2.33, 0.045, 1.0]
    made["attenuators"]["window"] = [1, "Be1", 1.848, 12.5e-4, 1.0]
    return dict(made)


def fit(counts: np.ndarray, config: dict[str, Any]) -> tuple[dict[str, tuple[float, float]], float]:
    """Areas of the Gaussians with their standard errors by group ("Fe K"), and chi^2 per channel."""
    from PyMca5.PyMcaPhysics.xrf.ClassMcaTheory import McaTheory

    theory = McaTheory()
    theory.configure(config)
    channel, counts = np.arange(len(counts)), np.asarray(counts, float)
    sigma = np.sqrt(np.maximum(counts, 1))
    for _ in range(3):  # weights of the counts themselves would draw areas down; those of the fit do not
        theory.setData(channel, counts, sigma)
        theory.estimate()
        _, result = theory.startfit(digest=1)
        first = config["fit"]["xmin"] + np.arange(len(result["yfit"]))
        sigma = np.sqrt(np.maximum(counts, 1))
        sigma[first] = np.sqrt(np.maximum(np.ravel(result["yfit"]), 1))
    return {name: (result[name]["fitarea"], result[name]["sigmaarea"]) for name in result["groups"]}, result["chisq"]
