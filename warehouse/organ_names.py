"""What organs are called where several may share a name.

A name is no identity: two counties may each have a 城关镇人民政府. Where a name is not unique among
the organs that are shown together it is written with the organ above it, as people write it
(甲县城关镇人民政府), and with its id where even that leaves two.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

_OFFICE = re.compile(r"(人民政府|管理委员会|管委会|街道办事处|办事处|办公室)$")


def shown_names(organs: Iterable[tuple[str, str, str | None]]) -> dict[str, str]:
    """(id, name, id of the organ above) of organs → what each is called, no two alike."""
    listed = list(organs)
    names = {organ: name for organ, name, _ in listed}
    above = {organ: parent for organ, _, parent in listed if parent in names}
    shown = dict(names)
    next_above: dict[str, str | None] = {organ: above.get(organ) for organ in names}
    # As many organs above are named as it takes to tell those of one name apart.
    while alike := [g for g in _alike(shown) if len({next_above[o] for o in g}) > 1]:
        for organ in (organ for group in alike for organ in group):
            parent = next_above[organ]
            if parent is not None:
                area = _OFFICE.sub("", names[parent])
                if not shown[organ].startswith(area):
                    shown[organ] = area + shown[organ]
                next_above[organ] = above.get(parent)
    left = {organ for group in _alike(shown) for organ in group}
    return {organ: f"{name}({organ})" if organ in left else name for organ, name in shown.items()}


def _alike(shown: Mapping[str, str]) -> list[list[str]]:
    """The organs that are called the same, group by group."""
    groups: dict[str, list[str]] = defaultdict(list)
    for organ, name in shown.items():
        groups[name].append(organ)
    return [group for group in groups.values() if len(group) > 1]
