"""How a number is written: the one place, for documents, messages, fingerprints and JSON."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

LARGEST_INTEGER = 2**63


def plain(value: Decimal | int) -> str:
    """A number without exponent, thousands separators or trailing zeros."""
    if not value:
        return "0"
    text = f"{Decimal(value):f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in ("-0", "") else text


def number(value: Decimal | int | None, missing: str = "空") -> str:
    """A number as it is written in a message or a fingerprint; `missing` for one that is not
    there."""
    return missing if value is None else plain(value)


def json_number(value: Decimal | None) -> int | float | None:
    """A JSON number: an integer where the figure is whole, None where it is missing.

    Beyond 64 bits, where most JSON readers give up, a whole figure becomes a float.
    """
    if value is None:
        return None
    whole = value.to_integral_value()
    return int(whole) if whole == value and abs(whole) < LARGEST_INTEGER else float(value)


AVERAGE_PLACES = 2


def half_up(value: Decimal, places: int) -> Decimal:
    """A figure rounded half up, as offices print amounts and averages."""
    return value.quantize(Decimal(1).scaleb(-places), ROUND_HALF_UP)


def average(value: Decimal, numerator: Decimal | None, denominator: Decimal | None) -> Decimal:
    """An average as it is printed; of both its sides, as `value` was rounded on the way."""
    exact = numerator / denominator if numerator is not None and denominator else value
    return half_up(exact, AVERAGE_PLACES)
