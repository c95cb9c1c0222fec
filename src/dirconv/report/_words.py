"""Numbers, dates and lists in words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

NONE = "–"  # stands where there is no number
SUPERSCRIPT = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
NEAR_ONE = 5e-5  # four digits would show 1


def number(value: float | None, digits: int = 4) -> str:
    """`value` with that many significant digits: 1.234, 12,345, 1.2·10⁻⁷, 1 − 3·10⁻⁶; a dash for None."""
    if value is None:
        return NONE
    if isinstance(value, int):
        return f"{value:,}".replace("-", "−")
    if 0 < 1 - value < NEAR_ONE:
        return f"1 − {number(1 - value, 2)}"
    mantissa, _, exponent = f"{value:.{digits}g}".partition("e")
    mantissa = mantissa.replace("-", "−")
    if not exponent:
        return mantissa
    power = f"10{str(int(exponent)).translate(SUPERSCRIPT)}"
    return {"1": power, "−1": f"−{power}"}.get(mantissa, f"{mantissa}·{power}")


def short(value: float) -> str:
    """`value` with three digits, a whole number below a million with all of its digits."""
    return number(int(value) if float(value).is_integer() and abs(value) < 1e6 else value, 3)


def interval(value: float | None, low: float | None, high: float | None, write: Callable[[float], str] = number) -> str:
    """[low, high], or nothing where that says no more than the value."""
    if low is None or high is None or low == value == high:
        return ""
    return f"[{write(low)}, {write(high)}]"


def date(text: str) -> str:
    """An ISO 8601 time as 2026-11-24 02:46 UTC."""
    return datetime.fromisoformat(text).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def listed(values: Mapping[str, Any], between: str = " ") -> str:
    """name value, name value, …; what is on or off: name, no name."""
    return ", ".join(_entry(name, value, between) for name, value in values.items())


def _entry(name: str, value: Any, between: str) -> str:
    if isinstance(value, bool):
        return name if value else f"no {name}"
    return f"{name}{between}{number(value) if isinstance(value, int | float) else value}"


def options(values: Mapping[str, Any], name: str) -> str:
    """What names a choice first, then its options in parentheses: densenet (depth 10, growth 6)."""
    rest = {key: value for key, value in values.items() if key != name}
    return f"{values[name]} ({listed(rest).replace('_', ' ')})" if rest else str(values[name])


def runs(numbers: list[int]) -> str:
    """1, 3 to 7: whole numbers, three or more in a row by the first and the last of them."""
    rows: list[list[int]] = []
    for number in sorted(numbers):
        if rows and number == rows[-1][-1] + 1:
            rows[-1].append(number)
        else:
            rows.append([number])
    return ", ".join(f"{row[0]} to {row[-1]}" if len(row) > 2 else ", ".join(map(str, row)) for row in rows)


def count(amount: int, noun: str) -> str:
    """1 claim, 2 claims."""
    return f"{amount} {noun}{'' if amount == 1 else 's'}"


def alternatives(words: list[str], last: str = "or") -> str:
    """a, b or c."""
    return f" {last} ".join(filter(None, [", ".join(words[:-1]), words[-1]]))
