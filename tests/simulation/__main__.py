"""`python -m tests.simulation crash|faults|overtaken|pairs|swarm`: strike the pipeline anywhere; check all promises.

Every broken run is shown with its whole history. Of the first few (`SHORTENED`) it is the shortest that is found:
blows, happenings and lots are left out for as long as it still breaks a promise. Those after them are played once more
as they were.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer

from tests.simulation import crash as places
from tests.simulation import swarm as swarms
from tests.simulation.forking import NEVER_ENDED, Plain
from tests.simulation.play import Result

#: Broken runs of one command that are made shorter: it takes up to a minute each. All others are shown as they were.
SHORTENED = 3
#: Plays a broken run again for its history: as short as it can be made, or as it was.
Again = Callable[[Plain, bool], Result]
app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)
From = Annotated[int, typer.Option("--from", help="The first point, pair or seed.", min=1)]
Step = Annotated[int, typer.Option("--step", help="Every how many points.", min=1)]
Seeds = Annotated[int, typer.Option("--seeds", help="How many.", min=1)]
Some = Annotated[int | None, typer.Option("--seeds", help="How many, from --from on; all when not given.", min=1)]
Replay = Annotated[int | None, typer.Option("--replay", help="One alone, its history printed.", min=1)]
Life = Annotated[
    str,
    typer.Option(
        "--life",
        help="scripted; unlucky: no picture, no money at CJ, an order too dear, tax; "
        "attended: webhooks, approvals, a watched sale, nightly reconciliation; or compared: the same, and "
        "reconciled while it is billed and bought.",
    ),
]
Out = Annotated[Path | None, typer.Option("--out", help="A file to which each result is added, a JSON line each.")]


@app.callback()
def simulate() -> None:
    """Simulations of the whole pipeline, in one process and without a clock."""
    logging.getLogger("prefect").setLevel(logging.CRITICAL)


@app.command()
def crash(
    seeds: Some = None,
    start: From = 1,
    step: Step = 1,
    life: Life = "scripted",
    replay: Replay = None,
    out: Out = None,
) -> None:
    """Die at every outside call, before it and after it, and around every commit; exit 1 where a promise broke."""
    make = _made(life)
    if replay is None:
        _all(places.crashes(start, step, make, seeds), out, lambda one, _: places.shortest(one["schedule"], make))
    else:
        _one(lambda: places.run_crash(replay, make))


@app.command()
def faults(
    seeds: Some = None,
    start: From = 1,
    step: Step = 1,
    life: Life = "scripted",
    replay: Annotated[
        str | None,
        typer.Option(
            "--replay", help="One alone, its history printed: POINT:FAULT, as 120:timeout_after; POINT, each of its."
        ),
    ] = None,
    out: Out = None,
) -> None:
    """Let every call meet every kind of fault, late effects included; exit 1 where a promise broke."""
    make = _made(life)
    if replay is None:
        _all(places.faults(start, step, make, seeds), out, lambda one, _: places.shortest(one["schedule"], make))
    number, colon, kind = (replay or "").partition(":")
    if not number.isdecimal() or bool(colon) != bool(kind):
        raise typer.BadParameter(f"--replay takes POINT:FAULT, as 120:timeout_after, or POINT, and not {replay!r}.")
    try:
        kinds = places.faults_at(int(number), kind, make)
    except LookupError as error:
        raise typer.BadParameter(str(error)) from error
    _one(*(partial(places.run_blows, {int(number): one}, make) for one in kinds))


@app.command()
def overtaken(
    start: From = 1,
    step: Step = 1,
    kind: Annotated[
        str,
        typer.Option(
            "--kind",
            help="overtaken (by the same step), asleep (past its leases), beside (the other flow); else the first two.",
        ),
    ] = "",
    replay: Replay = None,
    out: Out = None,
) -> None:
    """Let another worker be quicker at every point; exit 1 where a promise broke."""
    from tests.simulation import overtaking
    from tests.simulation.knife import ASLEEP, BESIDE, OVERTAKEN

    if kind not in ("", OVERTAKEN, ASLEEP, BESIDE):
        raise typer.BadParameter(f"--kind takes {OVERTAKEN}, {ASLEEP} or {BESIDE}, and not {kind!r}.")

    def again(result: Plain, _: bool) -> Result:
        how, number = result["name"].split(" ")
        return overtaking.run_overtaken(int(number), how)

    if replay is None and kind == BESIDE:
        _all(overtaking.besides(start, step), out, again)
    if replay is None:
        _all(overtaking.overtakings((kind,) if kind else (OVERTAKEN, ASLEEP), start, step), out, again)
    _one(lambda: overtaking.run_overtaken(replay or 0, kind or OVERTAKEN))


@app.command()
def pairs(
    seeds: Seeds = 2_000, start: From = 1, life: Life = "scripted", replay: Replay = None, out: Out = None
) -> None:
    """Draw a crash and a fault for each run, in either order; a broken run is made as short as it can be."""
    make = _made(life)

    def again(result: Plain, shorter: bool) -> Result:
        return places.shortest(result["schedule"], make) if shorter else places.whole(result["schedule"], make)

    if replay is None:
        _all(places.pairs(seeds, start, make), out, again)
    else:
        _one(lambda: places.run_pair(replay, make))


@app.command()
def swarm(
    seeds: Seeds = 300,
    start: From = 1,
    replay: Replay = None,
    out: Out = None,
    within: Annotated[
        float | None,
        typer.Option("--within", help="Seconds after which no more seeds are tried; exit 1 if some were not.", min=0),
    ] = None,
) -> None:
    """Let each seed draw a world and what goes wrong in it; a broken run is made as short as it can be."""
    if replay is not None:
        _one(lambda: swarms.run_seed(replay))
    _all(swarms.swarm(seeds, start), out, _seed_again, within, seeds)


def _seed_again(result: Plain, shorter: bool) -> Result:
    plan = swarms.plan_of(int(result["name"].removeprefix("seed ")))
    return swarms.shortest(plan)[1] if shorter else swarms.run_plan(plan)


def _show(again: Again, broken: Plain, shorter: bool) -> None:
    """The history of a broken run."""
    if NEVER_ENDED in broken["violations"]:
        print("  it has no history, as it did not end: --replay plays it once more", flush=True)
        return
    found = again(broken, shorter)
    kind = "the shortest history found" if shorter else "its history"
    print(f"  {kind}, of {len(found.history)} lines: {'; '.join(found.violations)}")
    print(*(f"    {line}" for line in found.schedule), sep="\n")
    print(*(f"      {line}" for line in found.history), sep="\n", flush=True)


def _made(life: str) -> places.Make:
    if life not in places.LIVES:
        *others, last = places.LIVES
        raise typer.BadParameter(f"--life takes {', '.join(others)} or {last}, and not {life!r}.")
    return places.LIVES[life]


def _all(
    results: Iterable[Plain],
    out: Path | None,
    again: Again,
    within: float | None = None,
    asked: int = 0,
) -> NoReturn:
    """Print what broke as it is found, each with its history, and the figures in the end.

    Args:
        results: of every run, as it ends.
        out: where they are kept.
        again: plays a broken one once more.
        within: seconds after which the rest is not tried.
        asked: how many must be tried, where that is known.
    """
    began, tried, broken, cycles = time.monotonic(), 0, 0, 0
    for result in _until(None if within is None else began + within, results):
        tried += 1
        cycles += result["cycles"]
        _add(out, result)
        if result["violations"]:
            broken += 1
            print(f"{result['name']}: {'; '.join(result['violations'])}")
            print(*(f"    {line}" for line in result["schedule"]), sep="\n", flush=True)
            _show(again, result, broken <= SHORTENED)
        elif tried % 100 == 0:
            print(f"{tried} tried, {broken} violations, {time.monotonic() - began:.0f} s", flush=True)
    seconds = time.monotonic() - began
    print(
        f"{tried} tried, {broken} violations, {seconds:.0f} s, {tried / seconds:.2f} a second, {cycles} cycles in all"
    )
    if tried < asked:
        print(f"{tried} of the {asked} that were asked for were tried: the other {asked - tried} were not")
    sys.exit(1 if broken or tried < asked else 0)


def _until(end: float | None, results: Iterable[Plain]) -> Iterator[Plain]:
    """What is tried till then; the one that is waited for when the time is over still counts."""
    coming = iter(results)
    while end is None or time.monotonic() < end:
        if (result := next(coming, None)) is None:
            return
        yield result


def _one(*runs: Callable[[], Result]) -> NoReturn:
    """Play them, and print what came of each."""
    broken = 0
    for run in runs:
        result = run()
        print(*result.history, sep="\n")
        print(*result.schedule, sep="\n")
        kept = "; ".join(result.violations) or "every promise kept"
        print(f"history {result.digest}, {result.seconds:.1f} s, {kept}", flush=True)
        broken += not result.kept
    sys.exit(1 if broken else 0)


@app.command()
def month(
    lots: Annotated[int, typer.Option("--lots", help="How many in all.", min=1)] = 2_000,
    days: Annotated[int, typer.Option("--days", help="In how many days they are sourced.", min=1)] = 30,
    faulty: Annotated[float, typer.Option("--faulty", help="The share of calls that fail.", min=0, max=0.5)] = 0.02,
    seed: Annotated[int, typer.Option("--seed", help="What it is drawn from.", min=1)] = 1,
    out: Out = None,
) -> None:
    """Let days pass with sales, buyers and faults, till all is still; exit 1 where a promise broke."""
    from tests.simulation.month import Figures, Month

    def tell(one: Figures) -> None:
        print(_day(one), flush=True)
        _add(out, one)

    play = Month(lots, days, faulty, seed, tell)
    result = play.run()
    figures = {**play.last, "violations": len(result.violations), "digest": result.digest}
    _add(out, {**figures, "what": result.violations})
    print(*(f"  {one}" for one in result.violations), sep="\n")
    nights = ", ".join(f"{number} {how}" for how, number in sorted(play.nights.items()))
    print(f"{sum(result.lots.values())} lots, {_so_far(figures)}, {result.seconds / 60:.1f} minutes")
    print(f"nightly reconciliations: {nights}", *play.differences, sep="\n    ")
    sys.exit(1 if result.violations else 0)


def _day(one: dict[str, Any]) -> str:
    lots = ", ".join(f"{number} {status}" for status, number in one["lots"].items())
    return f"day {one['day']}: {lots}; {_so_far(one)}, {one['seconds']} s"


def _so_far(one: dict[str, Any]) -> str:
    return ", ".join(f"{one[what]} {what}" for what in ("cycles", "calls", "faults", "violations"))


def _add(out: Path | None, line: dict[str, Any]) -> None:
    if out is not None:
        with out.open("a") as file:
            file.write(json.dumps(line) + "\n")


@app.command()
def poison(
    lots: Annotated[int, typer.Option("--lots", help="How many, one of them poison.", min=2)] = 1_000,
    manner: Annotated[str, typer.Option("--manner", help="refused or silent; both when not given.")] = "",
    only: Annotated[
        list[str] | None, typer.Option("--only", help="Places whose name has this in it; more than once for more.")
    ] = None,
    out: Out = None,
) -> None:
    """Let one lot be refused, or never answered, for ever, at each call that it makes alone.

    Exit 1 where the others needed more cycles for what was refused, or more than one for what was silent.
    """
    from tests.simulation import poison

    if manner not in ("", *poison.MANNERS):
        raise typer.BadParameter(f"--manner takes {' or '.join(poison.MANNERS)}, and not {manner!r}.")
    began = time.monotonic()
    found = [one for one in poison.places() if not only or any(part in str(one) for part in only)]
    manners = (manner,) if manner else poison.MANNERS
    fates = sorted({one.fate for one in found})
    without = {line["fate"]: line for line in poison.all_needed(lots, [(None, poison.REFUSED, fate) for fate in fates])}
    for fate, line in without.items():
        print(f"nowhere, {fate}: {_cycles(line)}", flush=True)
        _add(out, line)
    worse = 0
    for line in poison.all_needed(lots, [(place, how, place.fate) for how in manners for place in found]):
        plain = without[line["fate"]]
        more = range(poison.MOST_MORE[line["manner"]] + 1)
        same = not line["wrong"] and all(line[what] - plain[what] in more for what in ("all_bought", "all_delivered"))
        worse += not same
        print(f"{'' if same else 'DIFFERS: '}{line['manner']} at {line['place']}: {_cycles(line)}", flush=True)
        _add(out, line)
    told = f"{len(found)} places, {', '.join(manners)}, {lots - 1} lots beside the poison"
    print(
        f"{told}: {f'{worse} differ' if worse else 'no more cycles than are allowed'}; {time.monotonic() - began:.0f} s"
    )
    sys.exit(1 if worse else 0)


def _cycles(line: dict[str, Any]) -> str:
    if line["wrong"]:
        return str(line["wrong"])
    met = f", after {line['struck']} calls of it" if line["struck"] else ""
    silent = f" and {line['silent_seconds']:.0f} s of silence" if line["silent_seconds"] else ""
    others = f"all others bought after {line['all_bought']} cycles, delivered after {line['all_delivered']}"
    return f"{others}; it is {line['poisoned']}{met}{silent}"


@app.command()
def mutants(
    only: Annotated[list[str] | None, typer.Option("--only", help="One alone; more than once for more.")] = None,
    seeds: Annotated[int, typer.Option("--seeds", help="How many to try at most for each.", min=1)] = 40,
    out: Out = None,
) -> None:
    """Plant bugs, one at a time, and see each of them found; exit 1 where one survives."""
    from tests.simulation.mutants import hunting

    unknown = sorted({*(only or ())} - {one.name for one in hunting.ALL})
    if unknown:
        raise typer.BadParameter(f"no mutant is called {', '.join(unknown)}.")
    sys.exit(hunting.report([one for one in hunting.ALL if not only or one.name in only], seeds, out))


DATABASES = Annotated[str, typer.Option("--database", help="sqlite or postgresql; both when not given.")]


@app.command()
def races(
    rounds: Annotated[int, typer.Option("--n", help="Races of each kind of effect, at least.", min=1)] = 300,
    database: DATABASES = "",
    start: Annotated[int, typer.Option("--from", help="The first seed.", min=1)] = 1,
    lots: Annotated[
        int, typer.Option("--lots", help="Lots of a life; fewer of them know fewer fates.", min=1, max=5)
    ] = 5,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="This kind of effect alone; more than once for more.")
    ] = None,
) -> None:
    """Let eight processes do every step at once; exit 1 where anything happened more than once."""
    from tests.simulation import races

    asked = frozenset(only or ())
    found = [races.prove(rounds, kind, start, lots, asked).violations for kind in _databases(database)]
    sys.exit(1 if any(found) else 0)


@app.command()
def kills(
    number: Annotated[int, typer.Option("--n", help="Kills on each database.", min=1)] = 50,
    database: DATABASES = "",
    start: Annotated[int, typer.Option("--from", help="The first seed.", min=1)] = 1,
    out: Annotated[Path | None, typer.Option("--out", help="Add a JSON line for each kill to this file.")] = None,
    lots: Annotated[int, typer.Option("--lots", help="Lots in motion.", min=5)] = 50,
    server: Annotated[
        bool, typer.Option(help="Half of the flows run on a real Prefect server, which dies too.")
    ] = True,
    worker: Annotated[
        bool, typer.Option("--worker", help="Every cycle is a scheduled run of a real worker, which dies with them.")
    ] = False,
    each: Annotated[
        int, typer.Option("--worker-each", help="Without --worker: each so many-th kill is of a real worker's.", min=2)
    ] = 8,
) -> None:
    """Kill real processes and the Prefect server while fifty lots are in motion; exit 1 where a promise broke."""
    from tests.simulation import kills

    options: dict[str, Any] = {"start": start, "lots": lots, "with_server": server or worker, "out": out}
    each = 1 if worker else each
    found = [kills.prove(number, kind, each=each, **options).violations for kind in _databases(database)]
    sys.exit(1 if any(found) else 0)


def _databases(given: str) -> tuple[str, ...]:
    if given not in ("", "sqlite", "postgresql"):
        raise typer.BadParameter(f"{given!r} is no database: sqlite or postgresql.")
    return (given,) if given else ("sqlite", "postgresql")


if __name__ == "__main__":
    app()
