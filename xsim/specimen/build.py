"""From a description to a specimen: the order of placing, what each part displaces, hollow shapes filled."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from xsim.errors import ScenarioError, XsimError
from xsim.matter.material import Material
from xsim.registry import unknown
from xsim.specimen import overlap
from xsim.specimen.description import PopulationDescription, SpecimenDescription
from xsim.specimen.layers import Layers
from xsim.specimen.placements._job import Job, Scene
from xsim.specimen.population import Population
from xsim.specimen.specimen import Specimen
from xsim.streams import StreamKey


def build(description: SpecimenDescription, seed: int) -> Specimen:
    """Place the populations, check them, and assign hosts; see `SpecimenDescription.build`."""
    layers = Layers.stack(
        tuple(layer.material for layer in description.layers), tuple(layer.thickness for layer in description.layers)
    )
    placed: dict[str, Population] = {}
    for number in _order(description.population):
        with _within(number):
            p = description.population[number]
            scene = Scene(description.extent, layers, tuple(placed.values()))
            placed[p.name] = _place(p, scene, seed, description.population)
    populations: list[Population] = []
    for p in description.population:
        populations.append(placed[p.name])
        if p.core_material is not None:
            shell = placed[p.name]
            populations.append(
                replace(shell, name=f"{p.name}_core", shape=shell.shape.core(), material=p.core_material)
            )
    named_hosts = {p.name: p.host for p in description.population}
    parents = overlap.resolve(populations, layers, named_hosts)
    found = _hosts(populations, layers, parents)
    return Specimen(layers, tuple(found), description.extent or (0.0, 0.0))


def _place(p: PopulationDescription, scene: Scene, seed: int, everything: list[PopulationDescription]) -> Population:
    host = p.host
    key = StreamKey(seed, f"specimen/{p.name}")
    hosts = {q.name: q.host for q in everything}
    job = Job(p.name, p.shape, p.count, p.size, p.orientation, host, key, scene, _ancestors(p.name, hosts))
    poses = p.placement.place(job)
    return Population(p.name, p.shape, p.material, None, poses, size=p.size)


def _ancestors(name: str, hosts: dict[str, str | None]) -> tuple[str, ...]:
    out: list[str] = []
    host = hosts[name]
    while host is not None and host not in out:
        out.append(host)
        host = hosts.get(host)
    return tuple(out)


def _order(population: list[PopulationDescription]) -> list[int]:
    """Given places before random ones, each after what it needs; otherwise as listed."""
    names = {p.name: i for i, p in enumerate(population)}
    needs: list[list[int]] = []
    for i, p in enumerate(population):
        required = [("host", p.host)] if p.host is not None else []
        required += [("placement.of", name) for name in p.placement.needs()]
        for field, name in required:
            if name not in names or name == p.name:
                others = [n for n in names if n != p.name]
                raise unknown("unknown population", name, others, field=f"population[{i}].{field}")
        needs.append([names[name] for _, name in required])
    listed = sorted(range(len(population)), key=lambda i: population[i].placement.kind not in ("at", "file", "lattice"))
    order: list[int] = []
    while len(order) < len(listed):
        ready = [i for i in listed if i not in order and all(n in order for n in needs[i])]
        if not ready:
            stuck = next(i for i in listed if i not in order)
            raise ScenarioError(
                "populations that need each other in a circle",
                field=f"population[{stuck}].host",
                value=population[stuck].name,
                cure="let one of them stand by itself",
            )
        order.append(ready[0])
    return order


def _hosts(populations: list[Population], layers: Layers, parents: list[overlap.Parents]) -> list[Population]:
    """Each population with its host material; one whose copies sit in different materials is split by host."""
    out = []
    for p, parent in zip(populations, parents, strict=True):
        layer = layers.index_at(p.poses.positions)
        choices: list[Material | None] = [None, *layers.materials, *(q.material for q in populations)]
        number = np.where(parent.population >= 0, 1 + len(layers) + parent.population, 1 + layer)
        hosts = [choices[int(k)] for k in number]
        for host in dict.fromkeys(hosts):
            rows = np.array([h == host for h in hosts], np.bool_)
            out.append(replace(p.take(rows) if not rows.all() else p, host=host))
        if not hosts:
            out.append(p)
    return out


@contextmanager
def _within(number: int) -> Iterator[None]:
    """Prefix the key path of errors with the population at fault."""
    try:
        yield
    except XsimError as error:
        path = f"population[{number}]"
        if error.field != "extent":  # a key of the specimen itself
            error.field = f"{path}.{error.field}" if error.field else path
        raise
