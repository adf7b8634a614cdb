"""The decisions alone: tables of cases."""

from datetime import UTC, datetime, timedelta

import pytest

from services.consent import policy
from shared.contracts.consent import Scope

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("status", "blocked", "expired", "allowed", "reason"),
    [
        (None, False, False, False, "no_consent"),
        (None, True, True, False, "no_consent"),
        ("granted", False, False, True, "granted"),
        ("granted", False, True, False, "expired"),
        ("granted", True, False, False, "blocked"),
        ("granted", True, True, False, "blocked"),
        ("expired", False, False, False, "expired"),
        ("expired", False, True, False, "expired"),
        ("expired", True, True, False, "blocked"),
        ("revoked", False, False, False, "revoked"),
        ("revoked", False, True, False, "revoked"),
        ("revoked", True, False, False, "blocked"),
    ],
)
def test_only_a_grant_that_holds_and_can_be_reached_permits(
    status: str | None, blocked: bool, expired: bool, allowed: bool, reason: str
) -> None:
    answer = policy.permitted(status, blocked=blocked, expired=expired)

    assert (answer.allowed, answer.reason) == (allowed, reason)


@pytest.mark.parametrize(
    ("scope", "purpose", "taken"),
    [
        (Scope.PURPOSE, "marketing", ("marketing",)),
        (Scope.PURPOSE, "marketing.sales", ("marketing.sales",)),
        (Scope.PURPOSE, "service", ("service",)),
        (Scope.ACCOUNT, "marketing", ("marketing", "measuring")),
        (Scope.CHANNEL, "marketing", ("marketing", "measuring")),
        (Scope.CHANNEL, "marketing.sales", ("marketing", "measuring")),
        (Scope.BRAND, "measuring", ("marketing", "measuring")),
        (Scope.BRAND, "service", ("marketing", "measuring", "service")),
    ],
)
def test_a_wide_revocation_leaves_service_alone_unless_it_is_named(
    scope: Scope, purpose: str, taken: tuple[str, ...]
) -> None:
    assert policy.revoked_purposes(scope, purpose) == taken


@pytest.mark.parametrize(
    ("scope", "country", "source", "held"),
    [
        (Scope.CHANNEL, "IT", "chat", Scope.CHANNEL),
        (Scope.CHANNEL, "US", "chat", Scope.BRAND),
        (Scope.CHANNEL, "US", "button", Scope.BRAND),
        (Scope.CHANNEL, "US", "web_form", Scope.CHANNEL),
        (Scope.PURPOSE, "US", "chat", Scope.PURPOSE),
        (Scope.ACCOUNT, "US", "chat", Scope.ACCOUNT),
        (Scope.BRAND, "IT", "chat", Scope.BRAND),
    ],
)
def test_the_law_of_a_country_widens_a_stop_and_nothing_else(
    scope: Scope, country: str, source: str, held: Scope
) -> None:
    assert policy.held_scope(scope, country=country, source=source) is held


@pytest.mark.parametrize(
    ("granted_at", "denied_at", "counts"),
    [
        (None, None, True),
        (NOON, None, True),
        (None, NOON, True),
        (NOON, NOON, False),
        (NOON - timedelta(microseconds=1), NOON, False),
        (NOON + timedelta(microseconds=1), NOON, True),
    ],
)
def test_a_yes_that_is_not_truly_later_never_undoes_a_no(
    granted_at: datetime | None, denied_at: datetime | None, counts: bool
) -> None:
    assert policy.grants_again(granted_at, denied_at=denied_at) is counts


@pytest.mark.parametrize(
    ("told", "believed"),
    [
        (None, None),
        (NOON, NOON),
        (NOON + timedelta(minutes=5), NOON + timedelta(minutes=5)),
        (NOON + timedelta(minutes=5, seconds=1), None),
        (datetime.min.replace(tzinfo=UTC), datetime.min.replace(tzinfo=UTC)),
    ],
)
def test_a_time_far_in_the_future_is_not_believed(
    told: datetime | None, believed: datetime | None
) -> None:
    assert policy.believed(told, recorded_at=NOON) == believed


@pytest.mark.parametrize(
    ("source", "spoken"),
    [
        ("chat", True),
        ("chat.photo", True),
        ("button", True),
        ("telegram.start", True),
        ("web_form", False),
        ("shop_till", False),
        ("chatter", False),
        ("start", False),
        ("telegram.start.late", False),
    ],
)
def test_what_is_said_in_the_chat_shows_that_the_chat_is_open(source: str, spoken: bool) -> None:
    assert policy.spoken(source) is spoken


def test_a_topic_is_decided_by_itself_and_by_marketing() -> None:
    assert policy.purposes_asked("marketing.sales") == ("marketing.sales", "marketing")
    assert policy.purposes_asked("marketing") == ("marketing",)
    assert policy.purposes_asked("service") == ("service",)


@pytest.mark.parametrize(
    ("status", "blocked", "expired", "reason"),
    [
        ("granted", False, False, "paused"),
        ("granted", False, True, "expired"),
        ("granted", True, False, "blocked"),
        ("revoked", False, False, "revoked"),
        (None, False, False, "no_consent"),
    ],
)
def test_a_pause_is_told_where_nothing_else_is_in_the_way(status, blocked, expired, reason):
    answer = policy.permitted(status, blocked=blocked, expired=expired, paused=True)

    assert (answer.allowed, answer.reason) == (False, reason)


def test_a_pause_is_never_of_one_purpose_alone():
    scope = policy.paused_scope(Scope.PURPOSE, country="IT", source="api")

    assert scope is Scope.ACCOUNT
