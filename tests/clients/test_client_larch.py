"""Spectra opened with larch: its own edge and linear combination give what was put in, and wrong files do not."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import xsim
from xsim.exposure import Measurement
from xsim.formats.nxxas import NXxas
from xsim.formats.xdi import XDI
from xsim.instruments.absorption import Absorption
from xsim.matter import library
from xsim.scans.energies import Energies
from xsim.specimen.specimen import Specimen

larch_io = pytest.importorskip("larch.io", reason="xraylarch is in the extra `clients`")

SCAN = ["6960 eV .. 7095 eV / 15 eV", "7100 eV .. 7150 eV / 0.5 eV", "7155 eV .. 7500 eV / 15 eV"]
PROVENANCE = {"version": "1.2.3", "title": "A title", "scenario_hash": "abc", "date": "2026-01-02T03:04:05+00:00"}


@cache
def measured(**nanometres: int) -> Measurement:
    layers = [{"material": m, "thickness": f"{t} nm"} for m, t in nanometres.items()]
    table: dict[str, Any] = {"element": "Fe", "edge": "K", "energy": "7130 eV", "flux": "1e9 1/s"}
    table |= {"monitor": {"efficiency": 0.5}, "fluorescence": {"window": ["6.2 keV", "6.6 keV"]}}
    instrument = Energies.model_validate({"values": SCAN}).apply(Absorption.model_validate(table))
    return xsim.simulate(Specimen.from_table({"layers": layers}), instrument)


def opened(measurement: Measurement, folder: Path, name: str) -> Any:
    path = folder / f"{name}.xdi"
    XDI().write(measurement, path, PROVENANCE)
    return larch_io.read_xdi(str(path))


def normalised(group: Any) -> Any:
    from larch.xafs import pre_edge

    pre_edge(group.energy, group.mutrans, group=group, e0=7120.0, pre1=-150, pre2=-30, norm1=100, norm2=370, nnorm=1)
    return group


def test_columns_element_and_edge_are_read(tmp_path: Path) -> None:
    group = opened(measured(iron=900), tmp_path, "iron")
    assert group.array_labels == ["energy", "mutrans", "itrans", "i0", "mufluor", "ifluor"]
    assert (group.element, group.edge) == ("Fe", "K")
    np.testing.assert_allclose(group.mutrans, np.log(group.i0 / group.itrans), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(group.mufluor, group.ifluor / group.i0, rtol=1e-5)
    np.testing.assert_array_equal(group.itrans, measured(iron=900).counts[:, 0])


@pytest.mark.parametrize(("material", "low", "high"), [("iron", 7110.5, 7113.5), ("hematite", 7125.0, 7130.0)])
def test_the_edge_is_where_the_truth_rises_most_steeply(material: str, low: float, high: float, tmp_path: Path) -> None:
    from larch.xafs import find_e0

    group = opened(measured(**{material: 900}), tmp_path, material)
    energy = np.arange(7100.0, 7150.0, 0.5)
    steepest = energy[np.argmax(np.gradient(library.find(material).optics(energy).mu_total))]
    found = float(find_e0(group.energy, group.mutrans))
    assert low < found < high
    assert found == pytest.approx(float(steepest), abs=1.5)


def fitted(mixture: Any, parts: list[Any]) -> np.ndarray[Any, Any]:
    from larch.math.lincombo_fitting import lincombo_fit

    result = lincombo_fit(mixture, parts, arrayname="norm", xmin=7100, xmax=7200, sum_to_one=False)
    return np.array(list(result.weights.values()))


def test_its_linear_combination_gives_our_shares_of_atoms(tmp_path: Path) -> None:
    parts = [normalised(opened(measured(**{m: 900}), tmp_path, m)) for m in ("iron", "hematite")]
    mixture = normalised(opened(measured(iron=300, hematite=900), tmp_path, "mixture"))
    atoms = np.array([300, 900]) * [library.find(m).number_densities["Fe"] for m in ("iron", "hematite")]
    np.testing.assert_allclose(fitted(mixture, parts), atoms / atoms.sum(), atol=0.03)


def test_a_file_with_shifted_energies_or_swapped_columns_does_not(tmp_path: Path) -> None:
    parts = [normalised(opened(measured(**{m: 900}), tmp_path, m)) for m in ("iron", "hematite")]
    atoms = np.array([300, 900]) * [library.find(m).number_densities["Fe"] for m in ("iron", "hematite")]
    path = tmp_path / "wrong.xdi"
    XDI().write(measured(iron=300, hematite=900), path, PROVENANCE)
    text = path.read_text()
    swapped = text.replace("Column.3: itrans", "Column.3: i0").replace("Column.4: i0", "Column.4: itrans")
    path.write_text(swapped)
    group = larch_io.read_xdi(str(path))
    assert np.mean(np.log(group.i0 / group.itrans)) < 0  # thicker samples would amplify light
    rows = np.loadtxt(path)
    rows[:, 0] += 8.0
    path.write_text(
        text[: text.index("# ///")] + "# ///\n#---\n" + "\n".join(" ".join(map(str, r)) for r in rows) + "\n"
    )
    shifted = normalised(larch_io.read_xdi(str(path)))
    assert np.abs(fitted(shifted, parts) - atoms / atoms.sum()).max() > 0.1


def listed(path: Path) -> dict[str, Any]:
    """The columns that larch's own reader of NeXus spectra finds in the only scan of a file."""
    from larch.io.xas_data_source import open_xas_source

    source = open_xas_source(str(path))
    (name,) = source.get_scan_names()
    scan = source.get_scan(name)
    return dict(zip(scan.labels, scan.data, strict=True))


def test_nxxas_is_known_as_such_and_gives_the_columns_and_the_edge(tmp_path: Path) -> None:
    from larch.io.nexus_xas import NXxasFile
    from larch.xafs import find_e0

    measurement, path = measured(hematite=900), tmp_path / "hematite.nxs"
    NXxas().write(measurement, path, PROVENANCE)
    found = listed(path)
    assert set(found) == {"energy", "incoming_beam", "absorbed_beam", "fluorescence_beam"}
    np.testing.assert_array_equal(found["energy"], measurement.frames["energy"])
    np.testing.assert_array_equal(found["absorbed_beam"], measurement.counts[:, 0])
    np.testing.assert_array_equal(found["fluorescence_beam"], measurement.counts[:, 1])
    assert 7125 < float(find_e0(found["energy"], np.log(found["incoming_beam"] / found["absorbed_beam"]))) < 7130
    opened_file = NXxasFile(str(path))
    assert opened_file.xas_groups == ["entry"]
    opened_file.root.close()
    with h5py.File(path, "r+") as file:
        del file["entry/definition"]
        file["entry/definition"] = "NXstxm"
        swapped = file["entry/instrument/absorbed_beam/data"][...]
        file["entry/instrument/absorbed_beam/data"][...] = file["entry/instrument/incoming_beam/data"][...]
        file["entry/instrument/incoming_beam/data"][...] = swapped
    wrong = NXxasFile(str(path))
    assert wrong.xas_groups == []
    wrong.root.close()
    found = listed(path)
    assert np.mean(np.log(found["incoming_beam"] / found["absorbed_beam"])) < 0
