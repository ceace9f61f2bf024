"""The tables of docs/scale.md, of what docs/scale.json holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.hosts.replay import middle


def shown(measured: Mapping[str, Any]) -> str:
    """All trials that were made, each under its title with its command."""
    parts = []
    for name, title, page in PAGES:
        if name in measured:
            parts += [f"### {title}", "", *_how(measured[name]), *page(measured[name]), ""]
    return "\n".join(parts)


def _how(told: Mapping[str, Any]) -> list[str]:
    if "command" not in told:
        return []
    lines = [
        f"`{told['command']}`, {told['on']}, {told['machine']}, load {told['load']}; {told['seconds']} s.",
        "",
    ]
    if told["faults"]:
        lines += ["Wrong:", "", *(f"- {fault}" for fault in told["faults"]), ""]
    return lines


def _table(head: Sequence[str], rows: Sequence[Sequence[Any]]) -> list[str]:
    return [
        f"| {' | '.join(head)} |",
        f"|---|{'---:|' * (len(head) - 1)}",
        *(f"| {' | '.join(map(_cell, row))} |" for row in rows),
    ]


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int | float) else str(value)


def _nights(told: Mapping[str, Any]) -> list[str]:
    rows = [
        (
            what,
            one["workers"],
            one["elapsed"],
            middle(one["nights"]),
            one["cpu_of_workers"],
            *(one["cpu_of_shared"][part] for part in ("server", "database", "storage")),
            one.get("ratio", ""),
            one.get("ratio_of_cores", ""),
        )
        for what, one in (
            ("first", told["first"]),
            ("second", told["second"]),
            *(("quiet", q) for q in told["quiet"]),
        )
    ]
    head = ["night", "workers", "elapsed, s", "median of a city, s", "CPU of workers, s"]
    head += ["of the server", "of PostgreSQL", "of the storage", "ratio", "ratio, cores"]
    return [
        f"{told['cities']} cities, workers with one place each. Ratio: elapsed by the share of one worker's "
        "elapsed time. Workers, server, PostgreSQL and the test's object storage share this machine's "
        "cores, so all CPU seconds by the cores are as quick as it can be: the last column is elapsed by "
        "the larger of the two.",
        "",
        *_table(head, rows),
    ]


def _size(told: Mapping[str, Any]) -> list[str]:
    return [
        f"A city's lake after these nights (median of three): {told['files']} files, "
        f"{told['catalog_rows']:,} rows in {told['catalog_bytes'] / 2**20:.1f} MB of catalog.",
    ]


def _equal(told: Mapping[str, Any]) -> list[str]:
    return [
        f"{told['cities']} cities pulled by workers into PostgreSQL and object storage, and by `nianbao "
        "nightly` with nothing set: the same rows, and the edition of 2020 as of one moment has "
        f"{told['files_of_equal_bytes']} files of equal bytes.",
    ]


def _cut(told: Mapping[str, Any]) -> list[str]:
    rows = [
        (
            line["what"],
            line["seconds"],
            _briefly(line["ended"]),
            _briefly(line["replaced"]) if line["replaced"] else "",
            line["next"],
        )
        for line in told["away"]
    ]
    return [
        *_table(["away", "s", "the run", "what replaced it", "the next night"], rows),
        "",
        "The lock of a writer whose host was switched off (cable pulled, then killed) was free after "
        f"{told['lock_free_after']} s.",
    ]


def _briefly(end: Sequence[str]) -> str:
    """A state with the first sentence of what was said."""
    return ": ".join((end[0], end[1].partition("。")[0].partition("（")[0]))


def _commits(told: Mapping[str, Any]) -> list[str]:
    rows = [
        (what, one["writers"], one["commits"], one["elapsed"], one["median"], one["worst"])
        for what, one in (("a lake each", told["apart"]), ("one lake", told["one_lake"]))
    ]
    return _table(["writers", "", "commits", "elapsed, s", "median, s", "worst, s"], rows)


def _kills(told: Mapping[str, Any]) -> list[str]:
    rows = [
        (
            kind["kind"],
            kind["kills"],
            ", ".join(f"{step} {count}" for step, count in kind["in_step"].items()),
            _span(kind["noticed_after"]),
            _span(kind["replaced_after"]),
            _by_state(kind["ends"]),
        )
        for kind in told["kinds"]
    ]
    head = [
        "runs",
        "killed",
        "in the step",
        "Crashed after, s",
        "replaced after, s",
        "how the cities ended",
    ]
    return _table(head, rows)


def _by_state(ends: Mapping[str, int]) -> str:
    """How many ended in which state: what a run said at its end is its own."""
    counts: Counter[str] = Counter()
    for end, count in ends.items():
        counts[end.partition(":")[0]] += count
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())


def _span(seconds: Sequence[int]) -> str:
    return f"{min(seconds)} to {max(seconds)}" if seconds else ""


def _replay(told: Mapping[str, Any]) -> list[str]:
    rows = [
        (
            line["name"],
            line["workers"],
            line["files"],
            line["catalog_rows"],
            line["runs_a_night"],
            f"{line['server_database_bytes_a_night'] / 2**20:.1f}",
            f"{line['last_ends_after'] / 3600:.1f}",
            f"{line['workers_busy']:.0%}",
            f"{line['shared_busy']['server']:.0%}",
            f"{line['shared_busy']['database']:.0%}",
        )
        for line in told["settings"]
    ]
    head = ["", "workers of 4 cores", "files", "catalog rows", "runs a night"]
    head += ["growth of the server's database, MB a night", "last night ends after, h"]
    head += ["workers busy", "server, of one core", "PostgreSQL, of one core"]
    full = "; ".join(f"{part} {count:,}" for part, count in told["fill_one_core"].items())
    return [
        "The recorded quiet nights of one worker, begun over two hours (benchmarks/hosts/replay.py). Runs: "
        "night, maintenance, deadline watch.",
        "",
        *_table(head, rows),
        "",
        f"Cities whose nights fill one core within the two hours: {full}.",
    ]


PAGES = (
    ("nights", "One night", _nights),
    ("size", "A city's lake", _size),
    ("equal", "The same as with the default", _equal),
    ("commits", "Writers beside each other", _commits),
    ("kills", "Workers killed", _kills),
    ("cut", "Away for a while", _cut),
    ("replay", "From one machine to a country", _replay),
)
