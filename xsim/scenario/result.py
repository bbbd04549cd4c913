"""What a run gives back to Python: one result per instrument, as labelled arrays with units."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from xsim.exposure import Array, Axis, Measurement
from xsim.registry import unknown
from xsim.scenario.schema import Scenario

if TYPE_CHECKING:
    import xarray as xr

    from xsim.specimen.specimen import Specimen


@dataclass(frozen=True, eq=False)
class Result:
    """One instrument's part of a run: `measurement` holds plain arrays, the properties labelled ones."""

    measurement: Measurement

    @cached_property
    def counts(self) -> xr.DataArray:
        """What the detector wrote, over the scan's and the detector's axes."""
        m = self.measurement
        return _labelled(m, m.counts, m.axes, "counts", m.counts_unit)

    @cached_property
    def expected(self) -> xr.DataArray:
        """The noise-free expectation [photons arriving at the detector]."""
        m = self.measurement
        if m.expected is None:
            raise AttributeError(f"the expectation of {m.name!r} was not kept")
        return _labelled(m, m.expected, m.expected_axes, "expected", "photons")

    @cached_property
    def truth(self) -> xr.Dataset:
        """The maps and curves that an algorithm would recover, without noise."""
        import xarray as xr

        arrays = {}
        for name, truth in self.measurement.truth.items():
            arrays[name] = _array(truth.values, tuple(truth.axes), name, truth.unit)
        return xr.Dataset({name: _apart(array, name, arrays) for name, array in arrays.items()})

    @cached_property
    def dose(self) -> xr.Dataset:
        """Absorbed dose by material: `mean` and `max` [Gy], absorbed `energy` [J], illuminated `mass` [kg]."""
        import xarray as xr

        doses = self.measurement.dose
        units = {"mean": "Gy", "max": "Gy", "energy": "J", "mass": "kg"}
        columns = {
            name: ("material", [getattr(dose, name) for dose in doses.values()], {"units": unit})
            for name, unit in units.items()
        }
        return xr.Dataset(columns, {"material": list(doses)})


@dataclass(frozen=True, eq=False)
class Run(Mapping[str, Result]):
    """A finished run: instrument name -> `Result`.

    record: what `run.json` holds. specimen: as it was built. path: the run directory, None if nothing was written.
    """

    scenario: Scenario
    specimen: Specimen
    results: dict[str, Result] = field(repr=False)
    record: dict[str, Any] = field(repr=False)
    path: Path | None = None

    def __getitem__(self, name: str) -> Result:
        if name not in self.results:
            raise unknown("unknown instrument", name, list(self.results))
        return self.results[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)


def _labelled(m: Measurement, values: Array, axes: tuple[Axis, ...], name: str, unit: str) -> xr.DataArray:
    scan = m.frames.axes or (Axis("frame", m.frames.index),)
    array = _array(m.folded(values), (*scan, *axes), name, unit)
    return array if m.frames.axes or len(m.frames) > 1 else array.squeeze("frame", drop=True)


def _array(values: Array, axes: tuple[Axis, ...], name: str, unit: str) -> xr.DataArray:
    """A labelled array; an axis whose name is taken already (a detector's x in a scan over x) becomes "detector_x"."""
    import xarray as xr

    dims: list[str] = []
    coordinates = {}
    for axis in axes:
        dim = axis.name
        while dim in dims:
            dim = f"detector_{dim}"
        dims.append(dim)
        coordinates[dim] = (dim, np.asarray(axis.values), {"units": axis.unit} if axis.unit else {})
    return xr.DataArray(values, coordinates, dims, name=name, attrs={"units": unit})


def _apart(array: xr.DataArray, name: str, others: dict[str, xr.DataArray]) -> xr.DataArray:
    """The array with its own names for those axes that have other values in one of the others."""
    renamed = {}
    for dim in array.dims:
        rivals = [other for other in others.values() if dim in other.dims]
        if any(not np.array_equal(other[dim].values, array[dim].values) for other in rivals):
            renamed[dim] = f"{name}_{dim}"
    return array.rename(renamed) if renamed else array
