"""How a list is asked for what changed: the field that tells the time, and the parameter that
filters by it, found by trying what systems commonly understand.

A parameter counts as found when the far future brings nothing, the far past brings records, and
none that is older than asked for: one that is passed over in silence fails the first, one that
refuses everything the second.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from tasks.connect import vocabulary
from tasks.connect.asking import Asker, Heard
from tasks.connect.mapping import TIMES
from tasks.connect.paging import is_part
from tasks.connect.sample import Field
from tasks.connect.vocabulary import last_name
from tasks.sources.select import compile_path, text
from tasks.sources.windows import parse_moment, write_moment

FUTURE, PAST = datetime(2999, 1, 1), datetime(1990, 1, 1)
SURE = 0.6
MOST_TRIES = 30
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z0-9]+")


@dataclasses.dataclass
class Changes:
    """The field of the last change, and the cursor that filters by it where one was found.

    `params` are those that must always stand beside the cursor's own.
    """

    field: str | None
    cursor: dict[str, Any] | None = None
    params: dict[str, str] = dataclasses.field(default_factory=dict)


def updated_field(fields: list[Field]) -> Field | None:
    """The field that tells when a record changed last: a time called so, the nearest to the top."""
    known = vocabulary.updated()

    def weight(one: Field) -> float:
        said = (known.weight(last_name(one.path)), _with_above(one.path), known.weight(one.alias))
        return max(said) - 0.02 * one.depth

    weighed = [(weight(one), one) for one in fields if one.kind in TIMES]
    sure = [(weight, f) for weight, f in weighed if weight >= SURE]
    return max(sure, key=lambda found: found[0])[1] if sure else None


def _with_above(path: str) -> float:
    names = vocabulary.names_of(path)
    return (
        vocabulary.updated().weight(names[-2]) * 0.9
        if len(names) > 1 and vocabulary.compact(names[-1]) in vocabulary.carriers()
        else 0.0
    )


def found_changes(
    asker: Asker | None, updated: Field | None, first: Heard | None, known: tuple[str, ...] = ()
) -> Changes:
    """The cursor of a list. `known` are parameters that a description names: they are tried first."""
    if updated is None or asker is None or first is None or not first.records:
        return Changes(updated.path if updated else None)
    form, zone = _written(updated)
    known = (*known, *(name for name in asker.given if says_since(name)))
    for param, value_form, value_zone, beside in _tries(updated, form, zone, known):
        if _filters(asker, first, updated, param, value_form, value_zone, beside):
            cursor: dict[str, Any] = {"field": updated.path, "param": param, "format": value_form}
            if value_zone != "Asia/Shanghai":
                cursor["timezone"] = value_zone
            cursor["lag"] = "2d"
            if beside:
                cursor["initial"] = PAST.date().isoformat()
            return Changes(updated.path, cursor, beside)
    return Changes(updated.path)


_SINCE = re.compile(
    r"since|after|begin|start|from|gte|updat|modif|chang|gxsj|kssj|qssj", re.IGNORECASE
)


def says_since(name: str, said: str = "") -> bool:
    """Whether a parameter is called, or described, like the beginning of a span of changes."""
    if is_part(name, "offset") or is_part(name, "page"):
        return False
    return bool(_SINCE.search(name)) or any(
        word in said for word in ("起始", "开始", "更新", "自何时", "since")
    )


def _tries(
    updated: Field, form: str, zone: str, known: tuple[str, ...]
) -> Iterator[tuple[str, str, str, dict[str, str]]]:
    names = _spellings(updated.path)
    for name in known:
        yield name, form, zone, {}
    for number, entry in enumerate(vocabulary.words()["changed_since"]):
        if number >= MOST_TRIES:
            return
        param = _filled(entry["param"], names)
        value_form = _filled(str(entry.get("format", form)), names)
        beside = {
            _filled(n, names): _filled(str(v), names) for n, v in (entry.get("with") or {}).items()
        }
        yield param, value_form, str(entry.get("timezone", zone)), beside


def _filled(template: str, names: dict[str, str]) -> str:
    for name, value in names.items():
        template = template.replace("{" + name + "}", value)
    return template


def _spellings(path: str) -> dict[str, str]:
    """The last name of a field in the writings of parameters."""
    own = last_name(path).removesuffix("_gmt").removesuffix("_utc")
    parts = [p.lower() for p in _WORDS.findall(own)] or [own]
    camel = parts[0] + "".join(p.capitalize() for p in parts[1:])
    stem = own.removesuffix("_at").removesuffix("_on").removesuffix("_time").removesuffix("_date")
    below = ".".join(n for n in vocabulary.names_of(path) if n not in ("attributes", "data"))
    return {
        "field": own,
        "stem": stem,
        "camel": camel if not own[:1].isupper() else own,
        "Camel": own[:1].upper() + own[1:],
        "snake": "_".join(parts),
        "path": below,
        "path__": below.replace(".", "__"),
    }


def _written(updated: Field) -> tuple[str, str]:
    """How the field writes its times: the parameter most likely wants the same."""
    one = updated.texts[0]
    if updated.kind == "timestamp(epoch?)":
        return ("epoch_ms" if len(one) == 13 else "epoch_s"), "Asia/Shanghai"
    if one.endswith("Z") or re.search(r"[+-]00:?00$", one):
        return "%Y-%m-%dT%H:%M:%SZ", "UTC"
    if re.search(r"[+-]\d\d:?\d\d$", one) and "T" in one:
        return "iso", "Asia/Shanghai"
    day = "%Y/%m/%d" if "/" in one[:10] else "%Y%m%d" if one[:8].isdigit() else "%Y-%m-%d"
    if ":" not in one:
        return day, "Asia/Shanghai"
    return f"{day}{'T' if 'T' in one else ' '}%H:%M:%S", "Asia/Shanghai"


def _filters(
    asker: Asker,
    first: Heard,
    updated: Field,
    param: str,
    form: str,
    zone: str,
    beside: dict[str, str],
) -> bool:
    def ask(moment: datetime) -> Heard | None:
        return asker.ask({**beside, param: write_moment(moment, form, zone)})

    future = ask(FUTURE)
    if future is None or future.records:
        return False
    past = ask(PAST)
    if past is None or not past.records:
        return False
    return _is_by_change(asker, ask, first, updated)


def _is_by_change(
    asker: Asker, ask: Callable[[datetime], Heard | None], first: Heard, updated: Field
) -> bool:
    """Whether a parameter filters by the time of the change, not by another time.

    What comes for a moment within the sample is not older than it, and nothing of the sample that
    changed after it is missing, as far as the answer holds all that there is.
    """
    select = compile_path(updated.path)
    times = {}
    for mark, record in zip(asker.marks(first.records), first.records, strict=True):
        with contextlib.suppress(ValueError, OverflowError):
            times[mark] = _moment(text(select(record)))
    moments = sorted(times.values())
    if not moments:
        return False
    for share in (0.9, 0.7, 0.5):
        middle = moments[int(len(moments) * share)]
        heard = ask(middle)
        if heard is None:
            return False
        came = [_moment(text(select(record))) for record in heard.records if text(select(record))]
        # The day may be counted whole.
        if any(one.date() < middle.date() - timedelta(days=1) for one in came):
            return False
        wanted = {mark for mark, time in times.items() if time >= middle + timedelta(days=1)}
        is_all = len(heard.records) < len(first.records)
        missing = wanted - set(asker.marks(heard.records))
        if missing and (is_all or not wanted - missing):
            return False
    return True


def _moment(written: str) -> datetime:
    if written.isdigit() and len(written) in (10, 13):
        return datetime.fromtimestamp(int(written) / (1000 if len(written) == 13 else 1))
    if written.isdigit() and len(written) == 8:
        return datetime.strptime(written, "%Y%m%d")
    # 2020-03-05.10:00:00 and 2020/3/5 10:00 as well.
    plain = re.sub(r"^(\d{4})[/.](\d{1,2})[/.]", r"\1-\2-", written)
    return parse_moment(re.sub(r"^(\d{4}-\d\d-\d\d)[. ](?=\d\d:)", r"\1T", plain))
