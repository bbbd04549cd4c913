"""Small measurements of every technique, asymmetric on purpose, so that a flip or a transpose shows."""

from __future__ import annotations

import numpy as np

from xsim.exposure import Axis, Dose, FrameTable, Measurement, Reference, Truth

RNG = np.random.default_rng(5)
DOSE = {"gold": Dose(1.2e6, 3.4e6, 1e-12, 1e-18), "vitreous_ice": Dose(2.0e4, 5.0e4, 2e-13, 1e-17)}


def axis(name: str, n: int, step: float, unit: str = "m") -> Axis:
    return Axis(name, (np.arange(n) - n // 2) * step, unit)


def table(axes=(), energy=520.0, time=0.1, **columns) -> FrameTable:
    shape = tuple(len(a) for a in axes)
    n = int(np.prod(shape)) if axes else len(next(iter(columns.values()), [0]))
    cells = {"energy": np.full(n, energy), "time": np.full(n, time)}
    units = {"energy": "eV", "time": "s"}
    for number, item in enumerate(axes):
        if item.name in ("energy", "tilt", "x", "y"):
            cells[item.name] = np.broadcast_to(
                np.expand_dims(item.values, [k for k in range(len(shape)) if k != number]), shape
            ).ravel()
            units[item.name] = item.unit
    for name, column in columns.items():
        cells[name], units[name] = np.asarray(column), "m" if name in "xy" else ""
    return FrameTable(cells, units, tuple(axes), np.arange(n))


def measurement(name, kind, frames, expected, axes, expected_axes=None, geometry=None, unit="counts", truth=None):
    counts = RNG.poisson(expected).astype(np.uint32)
    return Measurement(
        name=name, kind=kind, frames=frames, counts=counts, counts_unit=unit, axes=tuple(axes), expected=expected,
        expected_axes=tuple(axes if expected_axes is None else expected_axes), incident=np.full(len(frames), 1e6),
        dose=DOSE, geometry=geometry or {}, settings={"kind": kind, "energy": "520.0 eV"}, seed=7,
        warnings=("photon count <low> & odd",), truth=truth or {},
    )  # fmt: skip


def image(ny: int, nx: int) -> np.ndarray:
    """An asymmetric scene: a disc at the upper right of the array and a ramp along x."""
    y, x = np.mgrid[:ny, :nx]
    disc = np.hypot(y - 0.7 * ny, x - 0.25 * nx) < 0.15 * min(ny, nx)
    return 100.0 * (1 - 0.6 * disc) * (1 + 0.3 * x / nx)


def full_field(ny=48, nx=64):
    axes = (axis("y", ny, 20e-9), axis("x", nx, 20e-9))
    truth = {"phase": Truth(image(ny, nx) / -300, axes, "rad")}
    return measurement("txm", "full_field", table(x=[0.0]).take(slice(0, 1)), image(ny, nx)[None], axes, truth=truth)


def tomography(n=5, ny=24, nx=32):
    tilts = Axis("tilt", np.radians(np.linspace(-60, 60, n)), "rad")
    frames = table((tilts,))
    axes = (axis("y", ny, 20e-9), axis("x", nx, 20e-9))
    stack = np.stack([image(ny, nx) * (1 + 0.1 * k) for k in range(n)])
    return measurement("tomo", "full_field", frames, stack, axes, geometry={"detector_distance [m]": 0.3})


def calibrated(axis="y"):
    """A tilt series about y or x with flats and darks."""
    made = tomography()
    for name, level, n in (("flats", 100.0, 5), ("darks", 2.0, 3)):
        counts = RNG.poisson(np.full((n, 24, 32), level)).astype(np.uint32)
        incident = np.full(n, 1e6 if name == "flats" else 0.0)
        object.__setattr__(made, name, Reference(table(energy=520.0, shot=np.arange(n)), counts, incident))
    object.__setattr__(made, "settings", {"scan": [{"kind": "tilts", "axis": axis}]})
    return made


def spectral(axis="y"):
    """A tilt series at three energies with flats of each (100 times the energy's number) and darks of 2."""
    energies = Axis("energy", np.array([530.0, 520.0, 540.0]), "eV")
    tilts = Axis("tilt", np.radians([-40.0, 10.0, 50.0, 60.0]), "rad")
    frames = table((energies, tilts))
    axes = (Axis("y", 20e-9 * np.arange(6), "m"), Axis("x", 20e-9 * np.arange(9), "m"))
    made = measurement("spectral", "full_field", frames, RNG.uniform(20, 60, (12, 6, 9)), axes)
    number = np.array([0, 0, 1, 1, 1, 2, 2])
    flats = np.broadcast_to(100 * (1 + number)[:, None, None], (7, 6, 9)).astype(np.uint16)
    lit = FrameTable(
        {"energy": energies.values[number], "time": np.ones(7)}, {"energy": "eV", "time": "s"}, (), np.arange(7)
    )
    object.__setattr__(made, "flats", Reference(lit, flats, np.full(7, 1e6)))
    dark = Reference(table(energy=530.0, shot=np.arange(3)), np.full((3, 6, 9), 2, np.uint16), np.zeros(3))
    object.__setattr__(made, "darks", dark)
    object.__setattr__(made, "geometry", {"pixel [m]": 20e-9})
    object.__setattr__(made, "settings", {"scan": [{"kind": "energies"}, {"kind": "tilts", "axis": axis}]})
    return made


def stxm(n_energy=6, ny=20, nx=26, name="stxm"):
    energies = Axis("energy", np.linspace(7100.0, 7150.0, n_energy), "eV")
    axes = (energies, axis("y", ny, 50e-9), axis("x", nx, 50e-9))
    step = 1 - 0.3 / (1 + np.exp(-(energies.values - 7125) / 3))
    expected = (step[:, None, None] * image(ny, nx)).ravel()
    return measurement(name, "stxm", table(axes), expected, ())


def stxm_image():
    axes = (axis("y", 20, 50e-9), axis("x", 26, 50e-9))
    return measurement("stxm1", "stxm", table(axes), image(20, 26).ravel(), ())


def stxm_segments():
    axes = (axis("y", 20, 50e-9), axis("x", 26, 50e-9))
    quarter = np.pi / 2 * np.arange(4) - np.pi / 4
    geometry = {
        "segment_inner [rad]": np.zeros(4), "segment_outer [rad]": np.full(4, 0.03),
        "segment_start [rad]": quarter, "segment_stop [rad]": quarter + np.pi / 2,
    }  # fmt: skip
    expected = image(20, 26).reshape(-1, 1) * (1 + 0.1 * np.arange(4))
    segments = (Axis("segment", np.arange(4)),)
    return measurement("stxm3", "stxm", table(axes), expected, segments, geometry=geometry)


def stxm_tilts():
    tilts = Axis("tilt", np.radians([0.0, 30.0]), "rad")
    axes = (tilts, axis("y", 4, 50e-9), axis("x", 5, 50e-9))
    return measurement("stxm2", "stxm", table(axes), np.tile(image(4, 5).ravel(), 2), ())


def ptychography(n=12, size=32):
    rng = np.random.default_rng(2)
    x, y = rng.uniform(-1e-6, 1e-6, (2, n))
    q = np.hypot(*np.mgrid[-size // 2 : size // 2, -size // 2 : size // 2])
    frame = 400 * np.exp(-((q / 6) ** 2)) + 2 / (1 + q)
    expected = np.stack([frame * (1 + 0.05 * k) for k in range(n)])
    expected[:, 3:6, 20:] *= 2
    frames = table(energy=6200.0, x=x, y=y)
    axes = (axis("y", size, 75e-6), axis("x", size, 75e-6))
    geometry = {"detector_distance [m]": 2.0, "detector_pixel [m]": 75e-6}
    grid = (axis("y", 40, 5e-9), axis("x", 44, 5e-9))
    truth = {"object": Truth(np.exp(-1j * image(40, 44) / 200), grid, ""), "probe": Truth(np.ones((8, 8), complex), ())}
    return measurement("ptycho", "ptychography", frames, expected, axes, geometry=geometry, truth=truth)


def cdi():
    base = ptychography(1, 48)
    bad = np.zeros((48, 48), bool)
    bad[23:26, 23:26] = True
    geometry = {**base.geometry, "mask": bad}
    return measurement("cdi", "cdi", base.frames, base.expected, base.axes, geometry=geometry)


def single_particle():
    base = ptychography(6, 32)
    return measurement(
        "sp", "single_particle", table(energy=6200.0, shot=np.arange(6)), base.expected / 100, base.axes,
        geometry=base.geometry,
    )  # fmt: skip


def fluorescence(ny=12, nx=16):
    axes = (axis("y", ny, 100e-9), axis("x", nx, 100e-9))
    channels = Axis("energy", np.arange(100, 13000, 50.0), "eV")
    scene = image(ny, nx) / 100
    peaks = {"Fe Ka": (6404.0, scene), "Au La": (9713.0, scene[::-1, ::-1]), "Au Ma": (2122.0, scene[::-1, ::-1])}
    cube = np.full((ny, nx, len(channels)), 0.02)
    for energy, amount in peaks.values():
        cube += 8 * amount[..., None] * np.exp(-0.5 * ((channels.values - energy) / 70) ** 2)
    truth = {
        "Fe area density": Truth(scene, axes, "kg/m^2"),
        "Au area density": Truth(scene[::-1, ::-1], axes, "kg/m^2"),
    }
    flat = cube.reshape(ny * nx, -1)
    made = measurement("xrf", "fluorescence", table(axes, energy=12000.0), flat, (channels,), truth=truth)
    object.__setattr__(made, "expected", flat.sum(1))
    object.__setattr__(made, "expected_axes", ())
    return made


def absorption(n=60):
    energies = Axis("energy", np.linspace(7050.0, 7300.0, n), "eV")
    mu_t = 0.2 + 0.5 / (1 + np.exp(-(energies.values - 7125) / 1.5)) + 0.05 * np.sin((energies.values - 7125) / 12)
    geometry = {"element": "Fe", "edge": "K"}
    truth = {"absorbance": Truth(mu_t, (energies,), "")}
    return measurement(
        "xas", "absorption", table((energies,)), 1e6 * np.exp(-mu_t), (), geometry=geometry, truth=truth
    )  # fmt: skip


def saxs(ny=80, nx=96):
    axes = (axis("y", ny, 172e-6), axis("x", nx, 172e-6))
    q = np.hypot(axes[0].values[:, None], axes[1].values[None, :]) * 2 * np.pi / 2e-10 / 3.0
    u = q * 12.2e-9 + 1e-9
    form = (3 * (np.sin(u) - u * np.cos(u)) / u**3) ** 2
    geometry = {
        "detector_distance [m]": 3.0, "detector_pixel [m]": 172e-6,
        "specimen_thickness [m]": 2e-6, "specimen_transmission": 0.9,
    }  # fmt: skip
    return measurement("saxs", "saxs", table(x=[0.0], energy=6200.0), (1e4 * form + 0.3)[None], axes, geometry=geometry)


def unknown_kind():
    axes = (axis("tilt", 3, 0.1, "rad"), axis("y", 4, 1e-6))
    return measurement(
        "new", "brand_new", table(axes), RNG.uniform(1, 9, (12, 4, 7)),
        (axis("y", 4, 1e-6), Axis("state", np.array(list("abcdefg"))))
    )  # fmt: skip


def point():
    return measurement("diode", "brand_new", FrameTable.single(8000.0, 1.0), np.array([55.0]), ())


ALL = [full_field, tomography, stxm, stxm_image, stxm_tilts, stxm_segments, ptychography, cdi, single_particle,
       fluorescence, absorption, saxs, unknown_kind, point]  # fmt: skip
