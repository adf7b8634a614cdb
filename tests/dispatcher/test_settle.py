"""Every outcome becomes the one verdict that keeps the promises."""

from datetime import timedelta

import pytest

from channels.base import outcomes
from channels.base.outcomes import Sent
from services.dispatcher.settle import BACKOFF, settle
from services.dispatcher.states import NEXT, Status

SENT = Sent(("17",))
THROTTLED = outcomes.Throttled("too_many", after=timedelta(seconds=7))
ONE_PERSON = outcomes.Throttled("too_many", after=timedelta(seconds=7), scope="address")

CASES = [
    # outcome, part, parts, tries, double-proof → outcome, status, costs an attempt
    (SENT, 0, 1, 1, False, "sent", Status.SENT, True),
    (SENT, 0, 2, 1, False, "sent", Status.QUEUED, True),
    (SENT, 1, 2, 1, False, "sent", Status.SENT, True),
    (THROTTLED, 0, 1, 99, False, "throttled", Status.QUEUED, False),
    (ONE_PERSON, 1, 2, 99, False, "throttled", Status.QUEUED, False),
    (outcomes.TooLate("deadline"), 0, 1, 99, False, "too_late", Status.QUEUED, False),
    (outcomes.TryAgain("refused_connection"), 0, 1, 1, False, "again", Status.QUEUED, True),
    (outcomes.TryAgain("dns"), 0, 1, len(BACKOFF) + 1, False, "refused", Status.REFUSED, True),
    (outcomes.TryAgain("dns"), 1, 2, len(BACKOFF) + 1, False, "refused", Status.PARTIAL, True),
    (outcomes.OutcomeUnknown("lost"), 0, 1, 1, False, "unknown", Status.UNKNOWN, True),
    (outcomes.OutcomeUnknown("lost"), 1, 3, 1, False, "unknown", Status.PARTIAL, True),
    (outcomes.OutcomeUnknown("lost"), 0, 1, 1, True, "again", Status.QUEUED, True),
    (outcomes.Refused("no"), 0, 1, 1, False, "refused", Status.REFUSED, True),
    (outcomes.Refused("no"), 1, 2, 1, False, "refused", Status.PARTIAL, True),
    (outcomes.Unreachable("gone"), 0, 1, 1, False, "refused", Status.REFUSED, True),
    (outcomes.OptedOut("blocked"), 0, 1, 1, False, "refused", Status.REFUSED, True),
    (outcomes.BadContent("long"), 0, 1, 1, False, "refused", Status.REFUSED, True),
    (outcomes.Moved("m", new_address="-1"), 0, 1, 1, False, "refused", Status.REFUSED, True),
    (outcomes.AccountBroken("401"), 0, 1, 99, False, "broken", Status.QUEUED, False),
    (outcomes.SendError("new_kind"), 0, 1, 1, False, "unknown", Status.UNKNOWN, True),
]


@pytest.mark.parametrize(
    ("outcome", "part", "parts", "tries", "double_proof", "means", "status", "costs"), CASES
)
def test_an_outcome_has_one_meaning(
    outcome, part, parts, tries, double_proof, means, status, costs
):
    verdict = settle(outcome, part=part, parts=parts, tries=tries, removes_doubles=double_proof)

    assert (verdict.outcome, verdict.status, verdict.costs_attempt) == (means, status, costs)
    assert verdict.status in NEXT[Status.SENDING]


def test_only_what_was_taken_advances():
    advancing = [
        case[0]
        for case in CASES
        if settle(
            case[0], part=case[1], parts=case[2], tries=case[3], removes_doubles=case[4]
        ).advance
    ]

    assert set(advancing) == {SENT}


def test_a_throttle_waits_as_long_as_asked_and_a_tenth_more_at_most():
    shortest = settle(ONE_PERSON, part=0, parts=1, tries=1, chance=lambda: 0.0)
    longest = settle(ONE_PERSON, part=0, parts=1, tries=1, chance=lambda: 1.0)

    assert shortest.wait == timedelta(seconds=7)
    assert longest.wait == timedelta(seconds=7.7)
    assert shortest.pause_lane is None


def test_a_throttle_of_the_account_stops_the_lane_and_not_the_message():
    verdict = settle(THROTTLED, part=0, parts=1, tries=1, chance=lambda: 0.0)

    assert verdict.pause_lane == timedelta(seconds=7)
    assert verdict.wait == timedelta()


def test_waits_grow_between_tries():
    waits = [
        settle(outcomes.TryAgain("dns"), part=0, parts=1, tries=n, chance=lambda: 0.5).wait
        for n in range(1, len(BACKOFF) + 1)
    ]

    assert waits == sorted(waits)
    assert waits[0] == timedelta(seconds=1)


def test_what_follows_beyond_the_message_is_said():
    blocked = settle(outcomes.OptedOut("blocked"), part=0, parts=1, tries=1)
    wrong = settle(outcomes.BadContent("too_long"), part=0, parts=1, tries=1)
    broken = settle(outcomes.AccountBroken("unauthorized"), part=0, parts=1, tries=1)

    assert blocked.opted_out
    assert wrong.pause_campaign
    assert broken.account_broken
    assert broken.pause_lane
