"""A chart of many nights, from what a run of `make soak` measured.

python -m tests.soak.chart docs/pictures/reliability/soak.json
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

SHOWN = (
    ("files_kb", "data files, KB"),
    ("files", "data files"),
    ("dead_rows", "overwritten rows not yet written out"),
    ("catalog_kb", "catalog, KB"),
    ("snapshots", "snapshots"),
    ("maintenance_seconds", "maintenance, seconds"),
)
WIDTH, HEIGHT, GAP, LEFT = 420, 120, 46, 60
COLUMNS = 2


def charts(lines: Sequence[dict[str, Any]], path: Path) -> None:
    """One small chart a measure, each from 0, as SVG."""
    rows = -(-len(SHOWN) // COLUMNS)
    wide, high = COLUMNS * (WIDTH + LEFT) + 20, rows * (HEIGHT + GAP) + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {wide} {high}" '
        'font-family="sans-serif" font-size="12" fill="#222">',
        f'<rect width="{wide}" height="{high}" fill="white"/>',
    ]
    for place, (key, title) in enumerate(SHOWN):
        x = LEFT + place % COLUMNS * (WIDTH + LEFT)
        y = 30 + place // COLUMNS * (HEIGHT + GAP)
        parts += _one([float(line[key]) for line in lines], title, x, y)
    path.write_text("\n".join([*parts, "</svg>"]) + "\n", encoding="utf-8")


def _one(values: Sequence[float], title: str, x: int, y: int) -> list[str]:
    most = max(values) or 1
    step = WIDTH / max(len(values) - 1, 1)
    points = " ".join(
        f"{x + i * step:.1f},{y + HEIGHT - value / most * HEIGHT:.1f}"
        for i, value in enumerate(values)
    )
    return [
        f'<text x="{x}" y="{y - 8}" font-weight="bold">{escape(title)}</text>',
        f'<path d="M{x},{y} V{y + HEIGHT} H{x + WIDTH}" fill="none" stroke="#999"/>',
        f'<text x="{x - 6}" y="{y + 10}" text-anchor="end">{most:,.6g}</text>',
        f'<text x="{x - 6}" y="{y + HEIGHT}" text-anchor="end">0</text>',
        f'<text x="{x + WIDTH}" y="{y + HEIGHT + 14}" text-anchor="end">night {len(values)}</text>',
        f'<polyline points="{points}" fill="none" stroke="#1f5f9f" stroke-width="1.5"/>',
    ]


if __name__ == "__main__":
    source = Path(sys.argv[1])
    charts(json.loads(source.read_text(encoding="utf-8"))["nights"], source.with_name("nights.svg"))
