"""What a brand's answer means."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.dispatcher.answers import LONGEST_WAIT, WAITS, judge, read_retry_after

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)


def judged(number: int = 1, status: int | None = 500, **more: object):
    facts = {"retry_after": None, "failing_since": None, "chance": lambda: 0.0, **more}
    return judge(number, http_status=status, now=NOW, **facts)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_any_2xx_is_a_yes(status: int) -> None:
    assert judged(status=status).status == "delivered"


@pytest.mark.parametrize("status", [None, 199, 300, 301, 307, 400, 401, 404, 429, 500, 503])
def test_all_else_is_tried_again(status: int | None) -> None:
    assert judged(status=status).status == "again"


def test_the_waits_are_those_of_standard_webhooks() -> None:
    hours = [judged(number).wait / timedelta(hours=1) for number in range(1, 10)]

    assert hours == [5 / 3600, 5 / 60, 0.5, 2, 5, 10, 14, 20, 24]
    assert sum(hours) == pytest.approx(75.585, abs=0.001)


def test_the_tenth_failure_is_the_last() -> None:
    assert judged(len(WAITS) + 1).status == "refused"


def test_gone_ends_the_callback_and_the_endpoint() -> None:
    assert (judged(status=410).status, judged(status=410).disable) == ("refused", "gone")


def test_five_days_of_nothing_but_failures_end_the_endpoint() -> None:
    assert judged(failing_since=NOW - timedelta(days=4, hours=23)).disable is None
    assert judged(failing_since=NOW - timedelta(days=5)).disable == "failing"
    assert judged(status=200, failing_since=NOW - timedelta(days=9)).disable is None


@pytest.mark.parametrize(
    ("status", "header", "seconds"),
    [
        (429, "120", 120),
        (503, "1", 5),
        (502, "9999999", 86_400),
        (504, "Sun, 22 Nov 2026 12:10:00 GMT", 600),
        (429, "Sun, 22 Nov 2026 11:00:00 GMT", 5),
        (429, "soon", 5),
        (500, "120", 5),
    ],
)
def test_who_asks_to_wait_is_heard_within_reason(status: int, header: str, seconds: int) -> None:
    assert judged(status=status, retry_after=header).wait == timedelta(seconds=seconds)


def test_a_little_chance_keeps_callbacks_out_of_step() -> None:
    assert judged(3, chance=lambda: 1.0).wait == timedelta(minutes=33)


@given(st.text(max_size=60))
def test_no_header_can_hurt(header: str) -> None:
    assert read_retry_after(header, now=NOW) >= timedelta()

    assert judged(status=503, retry_after=header).wait <= LONGEST_WAIT
