"""Charts as small inline SVG: columns for a year by month, bars for organs and outcomes.

Colours come from the page's style sheet, so charts follow light, dark and print.
"""

from __future__ import annotations

from dataclasses import replace
from html import escape
from typing import TYPE_CHECKING

from tasks.wording.typeset import display_width, typeset

if TYPE_CHECKING:
    from tasks.editions.edition import Series

WIDTH = 720
COLUMN_HEIGHT = 220
BAR_STEP = 24
MOST_BARS = 20
CHARACTER = 6.6  # pixels of a half-width character at the chart's font size
MONTHS = 12
OTHERS = "其余 {count} 个合计 {total}"


def chart(original: Series) -> str:
    """The series as an SVG element: columns when it runs over the months, else bars."""
    series = replace(
        original,
        title=typeset(original.title),
        points=tuple((typeset(label), now, last) for label, now, last in original.points),
    )
    labels = [label for label, _, _ in series.points]
    by_month = len(labels) <= MONTHS and all(label.endswith("月") for label in labels)
    return _columns(series) if labels and by_month else _bars(series)


def _described(series: Series) -> str:
    told = ",".join(f"{label} {now}" for label, now, _ in series.points[:MOST_BARS])
    return escape(typeset(f"{series.title}（单位：{series.unit}）：{told}"), quote=True)


def _svg(series: Series, height: float, body: list[str]) -> str:
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{_described(series)}">'
        + "".join(body)
        + "</svg>"
    )


def _columns(series: Series) -> str:
    top, bottom = 18, 22
    room = COLUMN_HEIGHT - top - bottom
    highest = max([1, *(max(now, last or 0) for _, now, last in series.points)])
    step = WIDTH / len(series.points)
    has_last = any(last is not None for _, _, last in series.points)
    thick = step * (0.34 if has_last else 0.56)
    base = COLUMN_HEIGHT - bottom
    body = [f'<line class="axis" x1="0" x2="{WIDTH}" y1="{base}" y2="{base}"/>']
    for at, (label, now, last) in enumerate(series.points):
        middle = at * step + step / 2
        left = middle - (thick if has_last else thick / 2)
        if last is not None:
            tall = room * max(last, 0) / highest
            body.append(
                f'<rect class="last" x="{middle:.1f}" y="{base - tall:.1f}" width="{thick:.1f}"'
                f' height="{tall:.1f}"><title>{escape(label)} 上年 {last}</title></rect>'
            )
        tall = room * max(now, 0) / highest
        body.append(
            f'<rect class="now" x="{left:.1f}" y="{base - tall:.1f}" width="{thick:.1f}"'
            f' height="{tall:.1f}"><title>{escape(label)} 本年 {now}</title></rect>'
        )
        body.append(
            f'<text class="value" x="{left + thick / 2:.1f}" y="{base - tall - 4:.1f}"'
            f' text-anchor="middle">{now}</text>'
            f'<text x="{middle:.1f}" y="{COLUMN_HEIGHT - 6}" text-anchor="middle">'
            f"{escape(label)}</text>"
        )
    return _svg(series, COLUMN_HEIGHT, body)


def shown_points(series: Series) -> tuple[list[tuple[str, int, int | None]], str]:
    """The points that get a bar, and in words what the rest adds up to.

    The rest gets no bar: it would dwarf those that are compared.
    """
    points = list(series.points)
    if len(points) <= MOST_BARS + 1:
        return points, ""
    rest = points[MOST_BARS:]
    told = OTHERS.format(count=len(rest), total=sum(now for _, now, _ in rest))
    return points[:MOST_BARS], told


def _shortened(label: str, width: float) -> str:
    """The label cut to a width in half-width characters; the bar's title has all of it."""
    if display_width(label) <= width:
        return label
    while label and display_width(label) > width - 2:
        label = label[:-1]
    return f"{label}…"


def _bars(series: Series) -> str:
    points, rest = shown_points(series)
    highest = max([1, *(max(now, last or 0) for _, now, last in points)])
    widest = max((display_width(label) for label, _, _ in points), default=0)
    left = min(widest * CHARACTER + 10, WIDTH * 0.45)
    longest = max(
        (display_width(f"{now}（上年 {last}）") + 2 for _, now, last in points), default=0
    )
    room = WIDTH - left - (longest + 4) * CHARACTER
    body = []
    for at, (label, now, last) in enumerate(points):
        y = at * BAR_STEP
        long = room * max(now, 0) / highest
        value = f"{now}" if last is None else typeset(f"{now}（上年 {last}）")
        body.append(
            f'<text x="{left - 8:.1f}" y="{y + 16}" text-anchor="end">'
            f"{escape(_shortened(label, (left - 10) / CHARACTER))}</text>"
        )
        if last is not None:
            before = room * max(last, 0) / highest
            body.append(
                f'<rect class="last" x="{left:.1f}" y="{y + 14}" width="{before:.1f}" height="5"/>'
            )
        tall = 10 if last is not None else 15
        body.append(
            f'<rect class="now" x="{left:.1f}" y="{y + 4}" width="{long:.1f}" height="{tall}">'
            f"<title>{escape(label)} {value}</title></rect>"
            f'<text class="value" x="{left + long + 6:.1f}" y="{y + 16}">{value}</text>'
        )
    height = max(len(points), 1) * BAR_STEP + 4
    if rest:
        body.append(f'<text class="value" x="{left:.1f}" y="{height + 12}">{escape(rest)}</text>')
        height += BAR_STEP
    return _svg(series, height, body)
