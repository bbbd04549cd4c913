"""Every instrument meets the specimen before the first one is simulated, so that no mistake comes late."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from xsim.errors import XsimWarning
from xsim.instruments._protocol import Instrument, Prepared
from xsim.scenario.build import located
from xsim.scenario.mistakes import Mistake, ScenarioMistakes
from xsim.scenario.schema import Scenario
from xsim.specimen.specimen import Specimen


@dataclass(frozen=True)
class Ready:
    """An instrument that has met its specimen: `prepare` hands over what was prepared, with its warnings."""

    instrument: Instrument
    prepared: Prepared
    said: tuple[warnings.WarningMessage, ...]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(self.instrument, name)

    def prepare(self, specimen: Specimen) -> Prepared:
        """What was prepared, giving its warnings again."""
        for one in self.said:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
        return self.prepared


def preflight(scenario: Scenario, specimen: Specimen, instruments: Mapping[str, Instrument]) -> dict[str, Any]:
    """The instruments by name, each prepared; raises ScenarioMistakes with the mistakes of all."""
    ready: dict[str, Any] = {}
    mistakes: list[Mistake] = []
    for name, instrument in instruments.items():
        try:
            with located(scenario, f"instrument[{name}]"), warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always", XsimWarning)
                prepared = instrument.prepare(specimen)
            ready[name] = Ready(instrument, prepared, tuple(said))
        except ScenarioMistakes as error:
            mistakes.extend(error.mistakes)
    if mistakes:
        raise ScenarioMistakes(scenario.file, mistakes)
    return ready
