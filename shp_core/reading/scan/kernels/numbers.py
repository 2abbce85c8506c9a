"""The texts of ordinary numbers and days.

A kernel decides only what is certain; the rest goes to `shp_core.reading.numbers` and `dates`, which define it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from shp_core.reading.scan.kernels.base import inner, integer

AS_SPELLED, ROUNDED, OPEN_NUMBER = range(3)
"""How the text of a number was found: it is as spelled, it is another one, it is for the reference to say."""

_LONGEST = 300
_EXACT = 15  # as many digits survive the way to a double and back
_SPLIT = 134217729.0  # 2^27 + 1
_CLOSEST = 0.4999  # no other decimal with as many digits is nearer to the double
_SLACK = 1e-9
_NEAR = 1e-14

POWERS = 10 ** np.arange(19, dtype=np.int64)
_EPOCH_1900, _EPOCH_1904 = 693899, 695361  # days from 0000-03-01 to 1899-12-30 and 1904-01-01
FIRST_DAY = 61
LAST_1900, LAST_1904 = 2958465, 2957003


@inner
def number(b: Any, at: int, end: int, to: Any, place: int) -> tuple[int, int]:
    """The text of a number: how it was found, and where it ends if it was written to `place`."""
    i = at + 1 if b[at] == 45 else at
    first = i
    digits, significant = 0, 0
    while i < end and 48 <= b[i] <= 57:
        if significant or b[i] != 48:
            significant += 1
            if significant <= 18:
                digits = digits * 10 + (b[i] - 48)
        i += 1
    zero = b[first] == 48
    if i == first or (zero and i - first > 1) or end - at > _LONGEST:
        return OPEN_NUMBER, 0
    if i == end:
        return (OPEN_NUMBER if zero and first > at else AS_SPELLED), 0
    if b[i] != 46 or i + 1 == end or b[end - 1] == 48:
        return OPEN_NUMBER, 0
    places = end - i - 1
    i += 1
    while i < end and 48 <= b[i] <= 57:
        if significant or b[i] != 48:
            significant += 1
            if significant <= 18:
                digits = digits * 10 + (b[i] - 48)
        i += 1
    if i < end or places > 18:
        return OPEN_NUMBER, 0
    if significant <= _EXACT:
        return AS_SPELLED, 0
    how, kept, kept_places = rounded(digits, significant - _EXACT, places)
    if how != ROUNDED:
        return how, 0
    if b[at] == 45:
        to[place] = 45
        place += 1
    return ROUNDED, write_decimal(to, place, kept, kept_places)


@inner
def rounded(digits: int, drop: int, places: int) -> tuple[int, int, int]:
    """The text of a number that is spelled with 16 or 17 digits: how it is found, its digits, and how many of them are places.

    All lengths are in units of the last place that is spelled: `off` is how far the double lies below the spelling, `unit`
    the distance of two doubles. Where rounding would have to be known better than it is, the number stays open.
    """
    if drop > 2 or places < drop:
        return OPEN_NUMBER, 0, 0
    value = np.float64(digits) / np.float64(POWERS[places])
    unit = ulp_of(value) * np.float64(POWERS[places])
    off = residue(value, digits, places)
    if abs(off) > 0.5 * unit:  # dividing led to a neighbour: beyond 2^53 the digits are no double themselves
        off -= unit if off > 0 else -unit
    if near_power(value) or abs(off) > (0.5 - _SLACK) * unit:
        return OPEN_NUMBER, 0, 0
    kept, gap = nearest(digits, off, POWERS[drop])
    if gap > (2.5 + _SLACK) * unit:  # doubles lie a whole number of units apart
        return shortest(digits, off, unit, drop, places)
    if kept < 0 or gap > (2.5 - _SLACK) * unit:
        return OPEN_NUMBER, 0, 0
    return ROUNDED, kept, places - drop


@inner
def nearest(digits: int, off: float, base: int) -> tuple[int, float]:
    """What remains of a double's digits if the last ones are rounded away (below zero: not certain), and how far off that is."""
    over = (np.float64(digits % base) - off) / base
    whole = np.rint(over)
    gap = abs(over - whole)
    return (digits // base + integer(whole) if gap < 0.5 - _SLACK else -1), gap * base


@inner
def shortest(digits: int, off: float, unit: float, drop: int, places: int) -> tuple[int, int, int]:
    """As `rounded`, if 15 digits lie too far from the double: the shortest that give it back."""
    if drop == 2:
        kept, gap = nearest(digits, off, 10)
        if gap < (0.5 + _SLACK) * unit:
            sure = kept >= 0 and gap < (0.5 - _SLACK) * unit
            return (ROUNDED if sure else OPEN_NUMBER), kept, places - 1
    whole = integer(np.rint(off))
    if abs(off - whole) > _CLOSEST:
        return OPEN_NUMBER, 0, 0
    return (AS_SPELLED if whole == 0 else ROUNDED), digits - whole, places


@inner
def ulp_of(value: float) -> float:
    """Distance of a double to the next one."""
    return integer(((np.float64(value).view(np.int64) >> 52) - 52) << 52).view(np.float64)


@inner
def near_power(value: float) -> bool:
    """Whether an error in the last digits may lead to another power of two, and so to another ulp."""
    above, below = np.float64(value * (1 + _NEAR)), np.float64(value * (1 - _NEAR))
    return bool(above.view(np.int64) >> 52 != below.view(np.int64) >> 52)


@inner
def residue(value: float, digits: int, places: int) -> float:
    """What is spelled minus the double, in units of the last place; exact, by splitting both factors in halves."""
    power = np.float64(POWERS[places])
    product = value * power
    value_high = _SPLIT * value - (_SPLIT * value - value)
    power_high = _SPLIT * power - (_SPLIT * power - power)
    value_low, power_low = value - value_high, power - power_high
    error = ((value_high * power_high - product) + value_high * power_low + value_low * power_high) + value_low * power_low
    near = integer(product)
    return (np.float64(digits - near) - (product - np.float64(near))) - error


@inner
def write_decimal(to: Any, at: int, digits: int, places: int) -> int:
    """Write `digits` with a point before the last `places` of them, without zeros at the end; the text's end."""
    while places > 0 and digits % 10 == 0:
        digits //= 10
        places -= 1
    whole, fraction = digits // POWERS[places], digits % POWERS[places]
    at = write_digits(to, at, whole, width_of(whole))
    if places > 0:
        to[at] = 46
        at = write_digits(to, at + 1, fraction, places)
    return at


@inner
def width_of(value: int) -> int:
    """Number of digits of an integer that is not negative."""
    width = 1
    while width < 19 and value >= POWERS[width]:
        width += 1
    return width


@inner
def write_digits(to: Any, at: int, value: int, width: int) -> int:
    """Write an integer with so many digits; the position behind it."""
    for k in range(width):
        to[at + width - 1 - k] = 48 + value % 10
        value //= 10
    return at + width


@inner
def write_day(to: Any, at: int, serial: int, date1904: int) -> int:
    """Write the ISO date of a whole serial number from `FIRST_DAY` on; the position behind it."""
    day = serial + (_EPOCH_1904 if date1904 else _EPOCH_1900)
    era = day // 146097  # 400 years that begin with March
    left = day - era * 146097
    year = (left - left // 1460 + left // 36524 - left // 146096) // 365
    left -= 365 * year + year // 4 - year // 100
    month = (5 * left + 2) // 153  # from March
    date = left - (153 * month + 2) // 5 + 1
    year += era * 400 + (1 if month >= 10 else 0)
    month += 3 if month < 10 else -9
    at = write_digits(to, at, year, 4)
    to[at] = 45
    at = write_digits(to, at + 1, month, 2)
    to[at] = 45
    return write_digits(to, at + 1, date, 2)
