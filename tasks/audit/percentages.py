"""How an exact percentage may be printed: rounded, or cut off."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal
from fractions import Fraction

from expectations.balance import number

EITHER = "四舍五入与截取均相符"


def as_printed(exact: Fraction, decimals: int) -> tuple[Decimal, Decimal]:
    """An exact percentage rounded and cut off to the decimals printed."""
    value = Decimal(exact.numerator) / Decimal(exact.denominator)
    unit = Decimal(1).scaleb(-decimals)
    return value.quantize(unit, ROUND_HALF_UP), value.quantize(unit, ROUND_DOWN)


def manner(exact: Fraction, printed: Decimal, decimals: int, unit: str = "%") -> str:
    """In which manner a percentage was printed, in Chinese; empty if in none."""
    rounded, cut = as_printed(exact, decimals)
    if rounded == cut == printed:
        return EITHER
    if cut == printed:
        return f"按截取相符(四舍五入为 {rounded}{unit})"
    if rounded == printed:
        return f"按四舍五入相符(截取为 {cut}{unit})"
    return ""


def percent(exact: Fraction, unit: str = "%") -> str:
    """An exact percentage with four decimals, and … where more follow."""
    value = Decimal(exact.numerator) / Decimal(exact.denominator)
    shown = value.quantize(Decimal("0.0001"), ROUND_DOWN)
    return f"{shown}…{unit}" if Fraction(shown) != exact else f"{number(shown)}{unit}"


def either(rounded: Decimal, cut: Decimal, unit: str = "%") -> str:
    """A percentage as it may be printed, once where both manners agree."""
    return (
        f"{rounded}{unit}" if rounded == cut else f"{rounded}{unit}(四舍五入)或 {cut}{unit}(截取)"
    )


HIDDEN_DIGITS = "所依据的数以万计,末位以下没有写出,在其范围内相符,不能精确核对"


def may_give(
    printed: Decimal, decimals: int, part: tuple[Decimal, Decimal], whole: tuple[Decimal, Decimal]
) -> bool:
    """Whether digits that a part or a whole in 万 does not show could give a percentage.

    `part` and `whole` are each a value and the steps in which it is told: 24.9万 is (249000, 1000).
    Cut off, the true value is up to a step more; rounded, up to half a step less.
    """
    own, rest = (step if step > 1 else Decimal(0) for _, step in (part, whole))
    if not (rest or own) or whole[0] <= rest:
        return False
    unit = Decimal(1).scaleb(-decimals)
    low = (part[0] - own / 2) / (whole[0] + rest) * 100
    high = (part[0] + own) / (whole[0] - rest / 2) * 100
    return low - unit <= printed <= high + unit
