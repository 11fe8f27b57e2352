"""Durations and amounts as people write them."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioner.domain.quantities import duration, usd, written


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90", 90), ("90s", 90), ("5m", 300), ("1h30m", 5400), ("2d", 172800), ("0.5h", 1800), (" 5M ", 300)],
)
def test_a_duration_is_read(text: str, seconds: float) -> None:
    """Plain seconds, one unit or several."""
    assert duration(text) == timedelta(seconds=seconds)


@given(st.integers(0, 10 * 365 * 86_400))
def test_a_duration_is_written_as_it_is_read(seconds: int) -> None:
    """Both ways."""
    assert duration(written(timedelta(seconds=seconds))) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "soon", "-5m", "5 parsecs", "m5", "1h-30m", "5mm", "1m1h", "1s1s", "\u0663s"])
def test_what_is_no_duration_is_named(text: str) -> None:
    """The message quotes what was written."""
    with pytest.raises(ValueError, match="is not a duration"):
        duration(text)


def test_a_duration_beyond_all_bounds_is_named() -> None:
    """Too long to be kept is a mistake of the input, with a message, not a crash."""
    with pytest.raises(ValueError, match="9999999999999d"):
        duration("9999999999999d")


def mistake(read: Callable[[str], object], text: str) -> str:
    """What is said of a text that cannot be read; empty for one that can."""
    try:
        read(text)
    except ValueError as error:
        return str(error)
    return ""


@given(st.text(alphabet="0123456789.dhms -") | st.text())
def test_any_text_is_a_duration_or_a_named_mistake(text: str) -> None:
    """Nothing but ValueError, whatever is typed."""
    said = mistake(duration, text)

    assert f"'{text}'" in said if said else duration(text) >= timedelta()


@given(st.text(alphabet="0123456789.$,_-e") | st.text())
def test_any_text_is_a_positive_amount_or_a_named_mistake(text: str) -> None:
    """Nothing but ValueError, whatever is typed."""
    said = mistake(usd, text)

    assert f"'{text}'" in said if said else usd(text) > 0


@given(st.integers(0, 400), st.integers(0, 23), st.integers(0, 59), st.integers(0, 59))
def test_every_written_duration_reads_back(days: int, hours: int, minutes: int, seconds: int) -> None:
    """Days, hours, minutes and seconds in one word."""
    expected = timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)

    assert duration(f"{days}d{hours}h{minutes}m{seconds}s") == expected


@given(st.decimals(min_value="0.01", max_value="100000", places=2))
def test_every_amount_reads_back(amount: Decimal) -> None:
    """To the cent, with or without the sign."""
    assert usd(str(amount)) == usd(f"${amount}") == amount


@pytest.mark.parametrize("text", ["", "0", "-3", "free", "inf", "nan", "1_000", "1,000", "12,50", "$$5", "1e3"])
def test_what_is_no_positive_amount_is_refused(text: str) -> None:
    """A budget of nothing, or of everything, is a mistake."""
    with pytest.raises(ValueError, match="US dollars"):
        usd(text)
