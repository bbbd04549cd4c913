"""The techniques: one file per modality, discovered by its `kind`.

To add a technique, add one file here with a frozen pydantic model that follows `_protocol.Instrument`. Its docstring is
its manual page. It may import everything below it: interaction, optics, sources, detectors, specimen, exposure,
waves, matter, units, errors; never formats, reconstruct, report, scenario or another instrument.
"""
