"""The targets, each with what the newest run of its part measured, and whether that meets it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from statistics import median
from typing import Any

from benchmarks.scale_report import cpu, exponent, organs_apart
from benchmarks.scale_steps import BESIDE

Kept = Mapping[str, Any]
Row = tuple[str, str, str, bool]
"""What work, its target, what was measured, whether that meets it."""


def verdicts(kept: Kept) -> list[str]:
    """The table of targets, as Markdown. `kept` is docs/benchmarks.json: parts that were not measured
    have no rows."""
    rows = [
        row for part, tell in _PARTS.items() if part in kept for row in tell(_numbers(kept[part]))
    ]
    met = sum(row[3] for row in rows)
    return [
        "## Targets",
        "",
        f"{met} of {len(rows)} met by what is below. Medians, of pulls the fastest of a few; each ratio is of one run; why what is missed is "
        "missed stands at the end.",
        "",
        "| work | target | measured | |",
        "|---|---|---|---|",
        *(
            f"| {work} | {aim} | {told} | {'met' if is_met else 'missed'} |"
            for work, aim, told, is_met in rows
        ),
    ]


def _numbers(part: Kept) -> Any:
    return part["numbers"]


def _of_scale(numbers: Any) -> Iterator[Row]:
    runs = {int(times): steps for times, steps in numbers["runs"].items()}
    records = {int(times): about["records"] for times, about in numbers["about"].items()}
    *earlier, largest = sorted(runs)

    def beside(step: str, times: int) -> float:
        return cpu(runs[times][step]) / cpu(runs[times][BESIDE[step]])

    def told(step: str) -> str:
        return ", ".join(f"×{times} {beside(step, times):.1f} ×" for times in sorted(runs))

    year_end = runs[largest]["year_end"]
    peak = max(one["peak_mb"] for one in year_end)
    yield (
        f"year-end with all files at ×{largest}",
        "≤ 10 × by hand",
        f"{cpu(year_end):.1f} CPU s; {told('year_end')}",
        beside("year_end", largest) <= 10,
    )
    yield f"its peak memory at ×{largest}", "≤ 2 GB", f"{peak:,} MB", peak <= 2048
    if earlier:
        growth = records[largest] / records[earlier[-1]]
        stages = {}
        for stage in year_end[0]["detail"]["stages"]:
            small, large = (
                _stage(runs[times]["year_end"], stage) for times in (earlier[-1], largest)
            )
            if small > 0.01:
                stages[stage] = exponent(small, large, growth)
        steepest = max(stages, key=lambda stage: stages[stage])
        yield (
            f"its stages, from ×{earlier[-1]} to ×{largest}",
            "exponent ≤ 1",
            f"at most {stages[steepest]:.2f} ({steepest})",
            stages[steepest] <= 1,
        )
    yield (
        f"two years tabulated at ×{largest}",
        "≤ 5 × by hand",
        told("tabulate"),
        beside("tabulate", largest) <= 5,
    )
    yield (
        "rules through Great Expectations",
        "≤ 1.5 × plain",
        told("check_gx"),
        all(beside("check_gx", times) <= 1.5 for times in runs),
    )
    by_hand = {times: cpu(runs[times]["explain_by_hand"]) for times in runs}
    more = {
        times: max(cpu(runs[times][step]) for step in ("explain_calls", "explain_granted"))
        for times in runs
    }
    yield (
        "explain, first page",
        "≤ 3 × by hand + 1.5 s",
        ", ".join(f"×{t} {more[t]:.1f} beside {by_hand[t]:.1f}" for t in sorted(runs)),
        all(more[times] <= 3 * by_hand[times] + 1.5 for times in runs),
    )
    yield (
        "1% of a year's calls changed",
        "≤ 3 × a MERGE by hand",
        told("one_percent"),
        all(beside("one_percent", times) <= 3 for times in runs),
    )
    years = exponent(median(numbers["years"]["few"]), median(numbers["years"]["many"]), 6)
    yield "the same, from 2 to 12 years", "exponent < 0.2", f"{years:.2f}", years < 0.2
    loaded = {times: beside("full_load", times) for times in runs if times <= 10}
    yield (
        "a full load, at ×1 and ×10",
        "≤ 3 × a typed read by hand",
        told("full_load"),
        all(ratio <= 3 for ratio in loaded.values()),
    )
    if "organs" not in numbers:
        return
    (few, built, whole), (many, built_many, whole_many) = (
        organs_apart(numbers["organs"][name]) for name in ("few", "many")
    )
    yield (
        f"{many} organs beside {few}, the same records",
        "build ≤ 1.5 ×",
        f"{built_many / built:.2f} × ({whole_many / whole:.2f} × with all files)",
        built_many / built <= 1.5,
    )


def _stage(rounds: list[Any], stage: str) -> float:
    return median(float(one["detail"]["stages"][stage]) for one in rounds)


def _of_main_job(numbers: Any) -> Iterator[Row]:
    more = numbers["quiet_night_more"]
    yield (
        "a night with nothing changed",
        "≤ 3 s over an empty flow",
        ", ".join(f"{seconds:.1f}" for seconds in more)
        + " s; the first of them reads again what came last",
        median(more) <= 3,
    )
    aims = {
        "nianbao --help": 0.3,
        "nianbao tables 2020 --json": 1.2,
        "nianbao audit, a published page": 1.0,
    }
    for name, aim in aims.items():
        seconds = numbers["commands"][name]
        yield (
            f"`{name}`" if "," not in name else name,
            f"{aim} s",
            f"{seconds:.2f} s",
            seconds <= aim,
        )


def _of_pages(numbers: Any) -> Iterator[Row]:
    again = max(numbers, key=lambda title: numbers[title]["again_ms"])
    yield (
        "a page of the office's own",
        "0.3 s",
        f"at most {numbers[again]['again_ms']:.0f} ms ({again})",
        numbers[again]["again_ms"] <= 300,
    )
    figures = {title: told["first_ms"] for title, told in numbers.items() if "一个数" in title}
    slowest = max(figures, key=lambda title: figures[title])
    yield (
        "explain in the served page, its first time",
        "≤ 1 s",
        f"at most {figures[slowest]:.0f} ms ({slowest})",
        figures[slowest] <= 1000,
    )


def _of_pull(numbers: Any) -> Iterator[Row]:
    seconds = {(one["way"], one["records"]): one["seconds"] for one in numbers}
    sizes = sorted({one["records"] for one in numbers})
    for size in sizes:
        ours = seconds[("ours", size)]
        if ("dlt", size) in seconds:
            faster = seconds[("dlt", size)] / ours
            yield (
                f"pull, {size:,} records",
                "≥ 10 × as fast as dlt",
                f"{faster:.1f} ×",
                faster >= 10,
            )
        slower = ours / seconds[("bare", size)]
        yield f"pull, {size:,} records", "≤ 1.5 × bare", f"{slower:.1f} ×", slower <= 1.5
    peaks = {one["records"]: one["megabytes_pulling"] for one in numbers if one["way"] == "ours"}
    if len(peaks) > 1:
        few, many = (peaks[size] for size in (min(peaks), max(peaks)))
        yield (
            "memory while pulling",
            "flat",
            ", ".join(f"{size:,} records {peak} MB" for size, peak in sorted(peaks.items())),
            many <= few * 1.5,
        )


_PARTS: dict[str, Callable[[Any], Iterator[Row]]] = {
    "scale": _of_scale,
    "main_job": _of_main_job,
    "pages": _of_pages,
    "pull": _of_pull,
}
