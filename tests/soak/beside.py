"""Commands beside each other on one data home for some minutes: none may notice the others."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.scale_data import CITY, make
from tests.city import Installation
from tests.warm import Command
from warehouse.lake import Lake

AT_ONCE = 4
CELL = "t3.granted.total"
CHANGING_AT_ANY_SIZE: tuple[tuple[str, ...], ...] = (
    ("nightly",),
    ("rejects", "retry"),
    ("year-end", "2020"),
    ("year-end", "2019"),
)
CHANGING = (
    *CHANGING_AT_ANY_SIZE,
    # These would take what the sources do not know of for deleted.
    ("nightly", "--full"),
    ("backfill", "hotline", "calls", "--from", "2020-05-01", "--to", "2020-05-31"),
)
READING: tuple[tuple[str, ...], ...] = (
    ("tables", "2020", "--json"),
    ("tables", "2020", "--json", "--organ", "441502"),
    ("explain", "2020", CELL, "--json"),
    ("account", "2020", "--json"),
    ("status", "--json"),
    ("rejects",),
    ("doctor",),
)
RIGHT_CODES = (0, 1)
"""1 says that findings block or that data are old; anything else is a command that met another."""


@dataclass
class Beside:
    """What commands beside each other came to."""

    minutes: float
    commands: dict[str, int] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


@dataclass
class _Running:
    arguments: tuple[str, ...]
    command: Command
    began: float


def beside(
    made: Installation,
    minutes: float,
    seed: int,
    say: Callable[..., None],
    changing: tuple[tuple[str, ...], ...] = CHANGING,
) -> Beside:
    """Run commands of all kinds at once for so many minutes, in a home where a night and a
    year-end came to their end. Nothing changes at the sources, so every answer stays the same."""
    told = Beside(minutes)
    pick = random.Random(seed)
    expected = {
        arguments: _answer(_alone(made, arguments), arguments)
        for arguments in READING
        if "--json" in arguments and "status" not in arguments
    }
    running: list[_Running] = []
    counted: Counter[str] = Counter()
    spent: Counter[str] = Counter()
    until = time.monotonic() + 60 * minutes
    while running or time.monotonic() < until:
        while len(running) < AT_ONCE and time.monotonic() < until:
            arguments = pick.choice(changing if pick.random() < 0.5 else READING)
            running.append(_Running(arguments, made.start(*arguments), time.monotonic()))
        for one in [r for r in running if r.command.poll() is not None]:
            running.remove(one)
            name = " ".join(one.arguments)
            counted[name] += 1
            spent[name] += round(time.monotonic() - one.began)
            told.faults += _faults(one, expected.get(one.arguments))
            say("beside", sum(counted.values()), name, one.command.code, len(told.faults))
        time.sleep(0.02)
    told.commands = dict(sorted(counted.items()))
    told.seconds = {name: round(spent[name] / count, 1) for name, count in counted.items()}
    told.faults += _editions(made, counted)
    return told


def grown(made: Installation, home: Path, times: int) -> Installation:
    """The same installation in another home, with every growing record so many times over, and its
    editions built."""
    city = Path(made.environment.get("NIANBAO_CITY", CITY))
    make(Lake(made.home), Lake(home), times, city, apart=True)
    larger = {**made.environment, "NIANBAO_HOME": str(home), "NIANBAO_CITY": str(home / "city")}
    new = replace(made, home=home, environment=larger)
    for arguments in CHANGING_AT_ANY_SIZE:
        command = new.start(*arguments)
        assert command.wait(1800) in RIGHT_CODES, (arguments, command.output)
    return new


def _alone(made: Installation, arguments: tuple[str, ...]) -> str:
    """What a reading command prints that nothing disturbs."""
    command = made.start(*arguments)
    assert command.wait(900) in RIGHT_CODES, command.output
    return command.output


def _answer(printed: str, arguments: tuple[str, ...]) -> Any:
    """What of a command's answer must stay the same, whatever goes on beside it."""
    found: Mapping[str, Any] = json.loads(printed)
    match arguments[0]:
        case "tables":
            return found["cells"]
        case "explain":
            return found["value"], found["records"]
        case _:
            # How often a record came grows with every pull; where it stands does not.
            standing = ("loaded", "in_force", "withdrawn", "unseen", "set_aside", "counted")
            return [[line[name] for name in standing] for line in found["resources"]]


def _faults(one: _Running, expected: Any) -> Iterator[str]:
    name, code, output = " ".join(one.arguments), one.command.code, one.command.output
    if code not in RIGHT_CODES or "Traceback" in output:
        yield f"{name}: exit code {code}: {output[-600:]}"
    elif expected is not None and _answer(output, one.arguments) != expected:
        yield f"{name}: another answer than alone"


def _editions(made: Installation, counted: Counter[str]) -> Iterator[str]:
    """One number a build, and builds of one year that are all the same one."""
    with Lake(made.home).read() as connection:
        found = connection.execute(
            "SELECT edition_id, count(*), count(DISTINCT cell_hash) FROM yearly.edition GROUP BY ALL"
        ).fetchall()
        doubled = connection.execute(
            "SELECT count(*) FROM (SELECT edition_id FROM yearly.edition "
            "GROUP BY edition_id HAVING count(*) > 1)"
        ).fetchone()
    if doubled != (0,):
        yield f"a number was given twice: {found}"
    known = {edition_id for edition_id, _, _ in found}
    wanted = {"2020-1"} | ({"2019-1"} if counted["year-end 2019"] else set())
    if known != wanted:
        yield f"editions {sorted(known)} instead of {sorted(wanted)}"
