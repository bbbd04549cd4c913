"""The stages between a valid scenario and its simulation, with every mistake located in the scenario's keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from xsim.errors import RangeError, XsimError
from xsim.instruments._protocol import Instrument
from xsim.scenario.mistakes import Mistake, ScenarioMistakes, of_error
from xsim.scenario.schema import Entry, Scenario
from xsim.specimen.specimen import Specimen


@contextmanager
def located(scenario: Scenario, key: str) -> Iterator[None]:
    """Errors of xsim raised inside become mistakes of the scenario at `key`."""
    try:
        yield
    except ScenarioMistakes:
        raise
    except XsimError as error:
        found = [Mistake(named(mistake.key, scenario), mistake.text) for mistake in of_error(error, key)]
        raise ScenarioMistakes(scenario.file, found) from error
    except MemoryError as error:
        what = str(error)[:1].lower() + str(error)[1:] or "not enough memory"
        cure = "use fewer frames, pixels or samples; `xsim check` tells how much a scenario needs"
        raise ScenarioMistakes(scenario.file, [Mistake(key, f"more memory than there is; {what}; {cure}")]) from error


def named(key: str, scenario: Scenario) -> str:
    """The key path with the numbers of populations replaced by their names."""
    match = re.match(r"(specimen\.population)\[(\d+)\](.*)", key)
    populations = scenario.specimen.population
    if not match or int(match.group(2)) >= len(populations):
        return key
    return f"{match.group(1)}[{populations[int(match.group(2))].name}]{match.group(3)}"


def build(scenario: Scenario, seed: int) -> tuple[Specimen, dict[str, Instrument]]:
    """The specimen and the instruments by name; raises ScenarioMistakes with all that can be found without simulating.

    Checked are the placement of every part, the frame tables and that the optical tables hold every photon energy.
    """
    mistakes: list[Mistake] = []
    specimen = None
    instruments: dict[str, Instrument] = {}
    try:
        with located(scenario, "specimen"):
            specimen = scenario.specimen.build(seed)
    except ScenarioMistakes as error:
        mistakes.extend(error.mistakes)
    for entry in scenario.instrument:
        try:
            with located(scenario, f"instrument[{entry.name}]"):
                instruments[entry.name] = _instrument(entry, specimen)
        except ScenarioMistakes as error:
            mistakes.extend(error.mistakes)
    if mistakes or specimen is None:
        raise ScenarioMistakes(scenario.file, mistakes)
    return specimen, instruments


def _instrument(entry: Entry, specimen: Specimen | None) -> Instrument:
    instrument = entry.build()
    energies = np.unique(instrument.frames()["energy"])
    for material in specimen.materials if specimen is not None else ():
        try:
            material.optics(energies)
        except RangeError as error:
            message = f"{error.message} (material {material.name})"
            raise RangeError(
                message, field=_energy_key(entry), value=error.value, allowed=error.allowed, cure=error.cure
            ) from error
    return instrument


def _energy_key(entry: Entry) -> str:
    """Where a person set the photon energies: the scan over energies if there is one, else the instrument's own key."""
    kinds = [scan.kind for scan in entry.scan]
    return f"scan[{kinds.index('energies')}]" if "energies" in kinds else "energy"
