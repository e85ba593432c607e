"""The hunt: each mutant in a fork of its own, seed after seed of its scene, until a promise breaks.

Every seed that kills a mutant is played once more by the product as it is, and must break nothing there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from tests.simulation.forking import Plain, in_children, workers
from tests.simulation.mutants import buying, charging, comparing, effects, giving_back, listing, rationing
from tests.simulation.mutants.planting import Mutant, plant

ALL: tuple[Mutant, ...] = (
    *effects.MUTANTS,
    *buying.MUTANTS,
    *charging.MUTANTS,
    *giving_back.MUTANTS,
    *listing.MUTANTS,
    *rationing.MUTANTS,
    *comparing.MUTANTS,
)


def hunt(mutants: Sequence[Mutant], seeds: int, at_once: int | None = None) -> Iterator[Plain]:
    """What became of each mutant, as it comes; then of the control: the same seeds, unmutated."""
    killed: dict[str, Plain] = {}
    for found in in_children(lambda place, of: _hunted(mutants[place::of], seeds), at_once or workers()):
        killed[found["name"]] = found
        yield found
    deaths = [(one, killed[one.name]["seed"]) for one in mutants if killed[one.name]["violations"]]
    yield from in_children(lambda place, of: _controls(deaths[place::of]), at_once or workers())


def _hunted(mutants: Iterable[Mutant], seeds: int) -> Iterator[Plain]:
    for mutant in mutants:
        yield from in_children(lambda _, __, mutant=mutant: [_one(mutant, seeds)], 1)  # type: ignore[misc]


def _one(mutant: Mutant, seeds: int) -> Plain:
    """In a process that is the mutant from here on."""
    plant(mutant.cuts)
    began, found = time.monotonic(), {"name": mutant.name, "scene": mutant.scene.name, "violations": []}
    for seed in range(1, seeds + 1):
        result = mutant.scene.run(seed)
        if result.violations:
            found |= {"violations": result.violations, "schedule": result.schedule}
            break
    return {**found, "seed": seed, "seconds": time.monotonic() - began}


def _controls(deaths: Sequence[tuple[Mutant, int]]) -> Iterator[Plain]:
    for mutant, seed in deaths:
        result = mutant.scene.run(seed)
        yield {
            "name": mutant.name,
            "control": True,
            "scene": mutant.scene.name,
            "seed": seed,
            "violations": result.violations,
            "schedule": result.schedule,
            "seconds": result.seconds,
        }


def report(mutants: Sequence[Mutant], seeds: int, out: Path | None = None) -> int:
    """Hunt them, and print each with the seeds it took; 1 where one survives, or the product breaks a promise."""
    began, killed, kept, bad = time.monotonic(), 0, 0, 0
    width = max(len(one.name) for one in mutants)
    for found in hunt(mutants, seeds):
        if out is not None:
            with out.open("a") as file:
                file.write(json.dumps(found) + "\n")
        broken = found["violations"]
        if found.get("control"):
            kept += not broken
            if broken:
                bad += 1
                print(f"{found['name']:{width}}  CONTROL: the product itself breaks seed {found['seed']} of it")
                print(*(f"    {line}" for line in (*broken, *found["schedule"])), sep="\n", flush=True)
            continue
        killed += bool(broken)
        bad += not broken
        what = broken[0] if broken else "SURVIVES"
        print(f"{found['name']:{width}}  {found['seed']:3} seeds  {found['seconds']:5.1f} s  {what}", flush=True)
    seconds = time.monotonic() - began
    print(f"{killed} of {len(mutants)} mutants killed; the product keeps {kept} of the {killed} seeds that killed them")
    print(f"{seconds:.0f} s")
    return 1 if bad else 0
