"""Numbers written in Chinese characters: 三, 二十, 三百零五, 一万二千, 叁拾."""

from __future__ import annotations

DIGITS = (
    {c: n for n, c in enumerate("零一二三四五六七八九")}
    | {c: n for n, c in enumerate("壹贰叁肆伍陆柒捌玖", 1)}
    | {"〇": 0, "两": 2}
)
_WEIGHTS = {"十": 10, "百": 100, "千": 1000, "拾": 10, "佰": 100, "仟": 1000}
CHARACTERS = "".join(DIGITS) + "".join(_WEIGHTS) + "万"


def chinese_number(text: str) -> int | None:
    """The number that the characters write; None where they write none (三五, 十百).

    A weight without a digit before it counts once: 百余 is 100, 万余 is 10,000.
    """
    if "万" in text:
        high, _, low = text.partition("万")
        above = chinese_number(high) if high else 1
        below = chinese_number(low) if low else 0
        return None if above is None or below is None else above * 10_000 + below
    total, digit, last = 0, None, 10_000
    for character in text:
        if character in DIGITS:
            if digit:
                return None
            digit = DIGITS[character]
            continue
        weight = _WEIGHTS.get(character)
        if weight is None or weight >= last:
            return None
        total += weight * (1 if digit is None else digit)
        digit, last = None, weight
    return total + (digit or 0) if text else None
