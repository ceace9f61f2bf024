"""The hotline's records: calls and work orders.

Calls are many, so this module builds them in plain loops and keeps only what the work orders
need. Times are epoch milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from math import ceil, floor
from pathlib import Path
from random import Random
from zlib import crc32

from deployments.demo_city.service.moments import PRESENT, YEARS, DayDraw, day_ms, ms_day
from deployments.demo_city.service.organs import Organ, OrganDraw, Organs
from deployments.demo_city.service.personal import People
from deployments.demo_city.service.store import Row, as_json, write_store
from deployments.demo_city.service.totals import HOTLINE, scaled
from deployments.demo_city.service.workdays import add_working_days

_MINUTE = 60_000
_HOUR = 60 * _MINUTE
_DAY = 24 * _HOUR
_CATEGORIES = tuple(f"{letter}{n:02d}" for letter in "ABCDEF" for n in range(1, 8))
_CHANNELS = ("1",) * 86 + ("2",) * 7 + ("3",) * 3 + ("4",) * 3 + ("9",)
_UNKNOWN_UNIT = {"code": "DW-9999", "name": "(已撤销单位)"}
_UNKNOWN_UNITS = 3


@dataclass
class Order:
    order_id: str
    call_id: str
    category: str
    organ: Organ
    dispatched: int
    due: int
    responded: int = 0
    closed: int | None = None
    visited: int | None = None
    visit_success: bool | None = None
    satisfied: bool | None = None
    solved: bool | None = None
    is_late: bool = False


def _organ_weight(organ: Organ) -> float:
    if organ.kind == "township":
        return 3
    return {"city": 0.5, "county": 6, "functional_zone": 4}.get(
        organ.kind, 5 if organ.of_city else 3
    )


class Switchboard:
    """Generates calls year by year, and the work orders that some of them become."""

    def __init__(self, seed: int, scale: float) -> None:
        self._rng = Random(f"{seed}/hotline")
        self._scale = scale
        self._people = People(self._rng)
        self._draw = OrganDraw(Organs(), self._rng, _organ_weight)
        self.orders: list[Order] = []

    def calls(self) -> Iterator[Row]:
        """All calls; fills `orders` on the way."""
        for year in YEARS:
            yield from self._year(year)

    def _year(self, year: int) -> Iterator[Row]:
        rng, random, people = self._rng, self._rng.random, self._people
        wanted = HOTLINE[year]
        count = scaled(wanted.calls, self._scale)
        day_draw = DayDraw(rng, date(year, 1, 1), date(year, 12, 31), 0.6)
        starts = sorted(
            day_ms(day) + int(rng.triangular(6, 24, 11) * 3600) * 1000
            for day in day_draw.many(count)
        )
        channels = rng.choices(_CHANNELS, k=count)
        answered = [channel != "1" or random() < 0.942 for channel in channels]
        # The last hour of the year is left to the next one's orders.
        able = [
            n for n in range(count) if answered[n] and ms_day(starts[n] + 2 * _HOUR).year == year
        ]
        dispatched = set(rng.sample(able, min(len(able), scaled(wanted.work_orders, self._scale))))
        dumps = as_json
        for n, started in enumerate(starts):
            call_id = f"LD{year}{n + 1:07d}"
            category = _CATEGORIES[int(random() * 42)]
            by_phone = channels[n] == "1"
            wait = (
                (1 + int(random() ** 3 * 70) if random() < 0.2 else 1 + int(random() * 14))
                if by_phone
                else 0
            )
            talk = 20 + int(random() * 420) if answered[n] and by_phone else 0
            order_id = None
            if n in dispatched:
                order_id = self._dispatch(year, call_id, category, started)
            updated = started + (wait + talk) * 1000
            if random() < 0.04:
                # Listened to again by the quality desk within days.
                updated += int(random() * 5 * 24 * 3600) * 1000
            person = people.anyone()
            record = {
                "callId": call_id,
                "callTime": started,
                "channel": channels[n],
                "answered": answered[n],
                "waitSec": wait,
                "talkSec": talk,
                "result": "ZPGD" if order_id else ("ZJDF" if answered[n] else "WJT"),
                "orderId": order_id,
                "categoryCode": category,
                "updateTime": updated,
                "deleted": False,
                "deletedTime": None,
                "callerName": person.name,
                "callerPhone": person.phone,
                "address": person.address,
                "content": people.text(),
            }
            yield updated, call_id, started, False, dumps(record)

    def _dispatch(self, year: int, call_id: str, category: str, started: int) -> str:
        rng = self._rng
        moment = started + (5 + int(rng.random() * 90)) * _MINUTE
        day = ms_day(moment)
        limit = add_working_days(day, rng.choices((2, 5, 7, 10, 15), (8, 40, 25, 17, 10))[0])
        order_id = f"GD{year}{len(self.orders) + 1:07d}"
        due = day_ms(limit) + 18 * _HOUR
        self.orders.append(Order(order_id, call_id, category, self._draw.pick(day), moment, due))
        return order_id

    def finish_orders(self) -> None:
        """Decide who is late, so that each year's rate over the orders due in it is met."""
        rng = self._rng
        by_due: dict[int, list[Order]] = {}
        for order in self.orders:
            by_due.setdefault(ms_day(order.due).year, []).append(order)
        for year, due in by_due.items():
            share = HOTLINE[year].on_time if year in HOTLINE else 0.9
            for order in rng.sample(due, len(due) - ceil(len(due) * share)):
                order.is_late = True
        present = day_ms(PRESENT)
        for order in self.orders:
            self._handle(order, present)
        self._judge()

    def _handle(self, order: Order, present: int) -> None:
        random = self._rng.random
        room = order.due - order.dispatched
        order.responded = order.dispatched + int(min(room * 0.3, 20 * _HOUR) * random())
        if order.is_late:
            closed = order.due + int((0.05 + random() ** 2 * 9) * _DAY)
        else:
            closed = order.responded + int((order.due - order.responded) * (0.15 + 0.84 * random()))
        if closed > present:
            return
        order.closed = closed
        visited = closed + int((0.2 + random() * 4) * _DAY)
        if random() < 0.965 and visited < present:
            order.visited = visited
            order.visit_success = random() < 0.935
            order.solved = random() < 0.951 if order.visit_success else None

    def _judge(self) -> None:
        """Who was not satisfied: a few in each year of call-backs."""
        reached: dict[int, list[Order]] = {}
        for order in self.orders:
            if order.visited and order.visit_success:
                order.satisfied = True
                reached.setdefault(ms_day(order.visited).year, []).append(order)
        for year, orders in reached.items():
            share = HOTLINE[year].unsatisfied if year in HOTLINE else 0.0004
            for order in self._rng.sample(orders, floor(len(orders) * share)):
                order.satisfied, order.solved = False, False

    def order_rows(self) -> Iterator[Row]:
        """The work orders as the API gives them."""
        people = self._people
        last_year = [o for o in self.orders if ms_day(o.dispatched).year == YEARS[-1]]
        lost = {o.order_id for o in self._rng.sample(last_year, _UNKNOWN_UNITS)}
        for o in self.orders:
            person = people.anyone()
            updated = max(o.dispatched, o.responded, o.closed or 0, o.visited or 0)
            unit = {"code": o.organ.hotline_code, "name": o.organ.name}
            record = {
                "orderId": o.order_id,
                "callId": o.call_id,
                "handleUnit": _UNKNOWN_UNIT if o.order_id in lost else unit,
                "categoryCode": o.category,
                "status": _status(o),
                "dispatchTime": o.dispatched,
                "limitTime": o.due,
                "responseTime": None if _is_unanswered(o) else o.responded,
                "finishTime": o.closed,
                "visit": {
                    "time": o.visited,
                    "success": o.visit_success,
                    "satisfied": o.satisfied,
                    "solved": o.solved,
                },
                "updateTime": updated,
                "deleted": False,
                "deletedTime": None,
                "reporterName": person.name,
                "reporterPhone": person.phone,
                "reporterIdNo": person.identity,
                "address": person.address,
                "content": people.text(),
            }
            yield updated, o.order_id, o.dispatched, False, as_json(record)


def _is_unanswered(order: Order) -> bool:
    """Some units close a work order without ever having answered it first."""
    return crc32(order.order_id.encode()) % 83 == 0


def _status(order: Order) -> str:
    if order.closed is None:
        return "30"
    return "60" if order.visited else "50"


def generate(folder: Path, seed: int, scale: float) -> None:
    """Write the hotline's records."""
    switchboard = Switchboard(seed, scale)
    write_store(folder, "calls", switchboard.calls())
    switchboard.finish_orders()
    write_store(folder, "workOrders", switchboard.order_rows())
