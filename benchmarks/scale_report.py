"""The tables and the chart of what `benchmarks.scale` measured."""

from __future__ import annotations

import math
from statistics import median

from benchmarks.scale_steps import BESIDE, STEPS, TITLES, Detail
from tasks.editions.build import FILES

Runs = dict[int, dict[str, list[Detail]]]
"""By how many times the demo city, by step: its rounds."""


def cpu(rounds: list[Detail]) -> float:
    """The median; of a step that tells its own share of the process, that."""
    return median(float(one["detail"].get("cpu", one["cpu"])) for one in rounds)


def exponent(small: float, large: float, growth: float) -> float:
    """By what power of the records the time grew."""
    return math.log(large / small) / math.log(growth)


def report(runs: Runs, about: dict[int, Detail], more: Detail, disk: Detail) -> str:
    """The tables, as Markdown."""
    years = more["years"]
    sizes = sorted(runs)
    lines = [
        f"CPU seconds, medians of {len(next(iter(runs[sizes[0]].values())))}; × is beside the row by "
        "hand of the same run.",
        "",
    ]
    lines += [
        f"×{times}: {about[times]['records']:,} growing records, lake {about[times]['lake_mb']} MB"
        for times in sizes
    ]
    heads = "".join(f" ×{times} | beside | peak MB |" for times in sizes)
    lines += ["", f"| |{heads} exponent |", "|---|" + "---:|" * (3 * len(sizes) + 1)]
    for step, title in TITLES.items():
        cells = []
        for times in sizes:
            seconds = cpu(runs[times][step])
            other = BESIDE.get(step)
            ratio = f"{seconds / cpu(runs[times][other]):.1f}×" if other else ""
            peak = max(one["peak_mb"] for one in runs[times][step])
            cells += [f"{seconds:.2f}", ratio, f"{peak}"]
        lines.append(f"| {title} | {' | '.join(cells)} | {_grown(runs, about, step)} |")
    lines += ["", "Stages of the year-end:", ""]
    lines += ["| |" + "".join(f" ×{times} |" for times in sizes) + " exponent |"]
    lines += ["|---|" + "---:|" * (len(sizes) + 1)]
    stages = runs[sizes[0]]["year_end"][0]["detail"]["stages"]
    for stage in (name for name in stages if stages[name] > 0.001):
        by_size = [
            median(one["detail"]["stages"][stage] for one in runs[times]["year_end"])
            for times in sizes
        ]
        growth = about[sizes[-1]]["records"] / about[sizes[0]]["records"]
        power = f"{exponent(by_size[0], by_size[-1], growth):.2f}" if len(sizes) > 1 else ""
        lines.append(f"| {stage} | {' | '.join(f'{s:.2f}' for s in by_size)} | {power} |")
    few, many = median(years["few"]), median(years["many"])
    lines += [
        "",
        f"1% of a year's calls changed at ×{sizes[0]}, CPU seconds, medians of {len(years['few'])}: two years "
        f"of calls {few:.2f}, with ten more ({years['calls']:,} calls) {many:.2f}; exponent over the years "
        f"{exponent(few, many, 12 / 2):.2f}.",
        "",
        *(_of_organs(more["organs"]) if "organs" in more else []),
        "Bytes a record after the demo city's first night (its JSON is that of the declared fields, as "
        "landed; the lake's is of the whole table):",
        "",
        "| | records | JSON | landing | lake |",
        "|---|---:|---:|---:|---:|",
    ]
    lines += [
        f"| {name} | {one['records']:,} | {one['json']:.0f} | {one['landing']:.0f} | {one['lake']:.0f} |"
        for name, one in disk.items()
        if one["records"] >= 1000
    ]
    return "\n".join(lines)


def organs_apart(rounds: list[Detail]) -> tuple[int, float, float]:
    """How many organs, the CPU seconds of their year-end without its files, and with them."""
    built = median(one["cpu"] - one["detail"]["stages"][FILES] for one in rounds)
    return rounds[0]["detail"]["organs"], built, cpu(rounds)


def _of_organs(organs: Detail) -> list[str]:
    (few, built, all_), (many, built_many, all_many) = map(
        organs_apart, (organs["few"], organs["many"])
    )
    return [
        f"Year-end of the same records, CPU seconds, medians of {len(organs['few'])}: {few} organs "
        f"{built:.2f} and {all_:.2f} with all files, {many} organs {built_many:.2f} "
        f"({built_many / built:.2f} ×) and {all_many:.2f} ({all_many / all_:.2f} ×).",
        "",
    ]


def _grown(runs: Runs, about: dict[int, Detail], step: str) -> str:
    *_, small, large = [0, *sorted(runs)]
    if not small:
        return ""
    growth = about[large]["records"] / about[small]["records"]
    return f"{exponent(cpu(runs[small][step]), cpu(runs[large][step]), growth):.2f}"


def chart(runs: Runs, about: dict[int, Detail]) -> str:
    """How each step's CPU seconds grow with the records, both on scales of powers, as SVG."""
    sizes = sorted(runs)
    records = [math.log10(about[times]["records"]) for times in sizes]
    points = {step: [math.log10(cpu(runs[times][step])) for times in sizes] for step in STEPS}
    low, high = (
        math.floor(min(map(min, points.values()))),
        math.ceil(max(map(max, points.values()))),
    )
    width, height, left, top = 420, 300, 60, 20

    def at(record: float, second: float) -> str:
        x = left + (record - records[0]) / ((records[-1] - records[0]) or 1) * width
        return f"{x:.0f},{top + (high - second) / (high - low) * height:.0f}"

    drawn = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 390}" '
        f'height="{top + height + 40}" font-family="sans-serif" font-size="11">',
        '<rect width="100%" height="100%" fill="#fff"/>',
    ]
    for power in range(low, high + 1):
        x, y = at(records[0], power).split(",")
        drawn.append(f'<path d="M{x} {y}h{width}" stroke="#ddd"/>')
        drawn.append(
            f'<text x="{left - 8}" y="{int(y) + 4}" text-anchor="end">{10**power:g} s</text>'
        )
    for record, times in zip(records, sizes, strict=True):
        x = at(record, low).split(",")[0]
        shown = f"×{times} · {about[times]['records']:,}"
        drawn.append(f'<text x="{x}" y="{top + height + 20}" text-anchor="middle">{shown}</text>')
    # The labels on the right are kept apart from each other.
    below = 0.0
    for number, step in enumerate(sorted(points, key=lambda step: -points[step][-1])):
        colour = f"hsl({number * 360 // len(points)} 65% 40%)"
        line = " ".join(at(r, s) for r, s in zip(records, points[step], strict=True))
        dash = ' stroke-dasharray="4 3"' if step.endswith("by_hand") else ""
        drawn.append(
            f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"{dash}/>'
        )
        below = max(below + 14, float(at(records[-1], points[step][-1]).split(",")[1]) + 4)
        drawn.append(
            f'<text x="{left + width + 8}" y="{below:.0f}" fill="{colour}">{TITLES[step]}</text>'
        )
    return "\n".join([*drawn, "</svg>", ""])
