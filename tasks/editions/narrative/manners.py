"""Manners: how a figure stands in a sentence. 34.88%, 同比增长126.47%, 664.58万, 1396.84."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal, localcontext
from typing import Literal

from warehouse import numbers
from warehouse.numbers import plain

Status = Literal["said", "missing", "nothing"]
HUNDRED, TEN_THOUSAND = Decimal(100), Decimal(10_000)
CENT = Decimal("0.01")
MANNERS = ("pct", "yoy", "wan", "yuan", "wan_yuan", "signed")


@dataclass(frozen=True)
class Manner:
    """The settings of a city; see `narrative.yaml`."""

    percent: Literal["cut", "round"] = "cut"
    yoy_base_from: int = 10
    yoy_percent_below: int = 1000
    wan: tuple[str, ...] = ()
    wan_from: int = 100_000
    money_decimals: int = 2


@dataclass(frozen=True)
class Said:
    """A figure in words. `nothing` is to say: its clause goes. `missing`: `label` is."""

    text: str = ""
    status: Status = "said"
    label: str = ""


NOTHING = Said(status="nothing")


def average(value: Decimal, numerator: Decimal | None, denominator: Decimal | None) -> Said:
    """3.33: as the tables print it."""
    return Said(f"{numbers.average(value, numerator, denominator):f}")


def plain_figure(value: Decimal) -> Said:
    """16193: no separators."""
    return Said(plain(value))


def percentage(numerator: Decimal, denominator: Decimal, manner: Manner) -> Said:
    """34.88%: two decimals, whole ones bare, 100% only where both sides are equal; what would
    print as 0% is not said."""
    if not denominator or not numerator:
        return NOTHING
    with localcontext() as context:
        context.prec = 60
        shown = _two_places(numerator * HUNDRED / denominator, manner)
    if shown == HUNDRED and numerator != denominator:
        shown = HUNDRED - CENT if numerator < denominator else HUNDRED + CENT
    if shown < CENT:
        return Said("不足0.01%", "nothing")
    return Said(f"{_two_decimals(shown)}%")


def change(now: Decimal, then: Decimal, unit: str, manner: Manner) -> Said:
    """同比增长126.47%; in absolute numbers where the base is small or the growth beyond measure."""
    moved = now - then
    if not then:
        return Said(f"上年为0{unit}") if now else NOTHING
    if not moved:
        return Said("与上年持平")
    with localcontext() as context:
        context.prec = 60
        percent = abs(moved) * HUNDRED / abs(then)
    up = moved > 0
    if abs(then) < manner.yoy_base_from or percent >= manner.yoy_percent_below:
        return Said(f"比上年{'增加' if up else '减少'}{plain(abs(moved))}{unit}")
    if percent < CENT:
        return Said("与上年基本持平")
    return Said(f"同比{'增长' if up else '下降'}{_two_decimals(_two_places(percent, manner))}%")


def ten_thousands(value: Decimal, manner: Manner) -> Said:
    """664.58万 from the city's limit on, cut to two decimals; below it the plain figure."""
    if abs(value) < manner.wan_from:
        return plain_figure(value)
    cut = (value / TEN_THOUSAND).quantize(CENT, rounding=ROUND_DOWN)
    return Said(f"{plain(cut)}万")


def money(value: Decimal, decimals: int) -> Said:
    """2950, 2950.50: decimals only where it is not whole, rounded half up."""
    shown = value.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)
    whole = shown == shown.to_integral_value()
    return Said(plain(shown) if whole else f"{shown:f}")


def signed(value: Decimal, unit: str) -> Said:
    """增加3项, 减少3项, 无增减."""
    if not value:
        return Said("无增减")
    return Said(f"{'增加' if value > 0 else '减少'}{plain(abs(value))}{unit}")


def _two_places(exact: Decimal, manner: Manner) -> Decimal:
    rounding = ROUND_DOWN if manner.percent == "cut" else ROUND_HALF_UP
    return exact.quantize(CENT, rounding=rounding)


def _two_decimals(shown: Decimal) -> str:
    return plain(shown) if shown == shown.to_integral_value() else f"{shown:.2f}"
