"""Each channel's recordings: a request as the platform sends it, and what we make of it."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import TypeAdapter

import channels
from channels.base.webhook import WebhookRequest
from channels.registry import CHANNELS
from shared.contracts.inbound import InboundEvent

FOLDERS = {name: Path(channels.__file__).parent / name / "recordings" for name in CHANNELS}
RECORDINGS = [
    pytest.param(name, path, id=f"{name}-{path.stem}")
    for name, folder in FOLDERS.items()
    for path in sorted(folder.glob("*.json"))
]
EVENTS: TypeAdapter[list[InboundEvent]] = TypeAdapter(list[InboundEvent])


def recorded(path: Path) -> tuple[WebhookRequest, dict[str, Any]]:
    recording = json.loads(path.read_text())
    request = recording["request"]
    return (
        WebhookRequest(
            body=orjson.dumps(request["body"]),
            headers=request["headers"],
            received_at=datetime.fromisoformat(request["received_at"]),
        ),
        recording,
    )


@pytest.mark.parametrize(("name", "path"), RECORDINGS)
def test_a_recording_means_what_it_meant(name: str, path: Path) -> None:
    request, recording = recorded(path)

    events = CHANNELS[name].parse(request)

    assert events == EVENTS.validate_python(recording["events"])


@pytest.mark.parametrize(("name", "path"), RECORDINGS)
def test_a_recording_is_stamped_as_it_was(name: str, path: Path) -> None:
    request, recording = recorded(path)

    stamp = CHANNELS[name].stamp(request)

    assert {"dedupe": stamp.dedupe, "person": stamp.person} == recording["stamp"]


@pytest.mark.parametrize(("name", "path"), RECORDINGS)
def test_the_order_of_a_conversation_is_kept(name: str, path: Path) -> None:
    """What has an address is stamped with it, or its events could overtake each other."""
    request, _ = recorded(path)
    channel = CHANNELS[name]

    addresses = {event.address for event in channel.parse(request) if hasattr(event, "address")}

    assert addresses <= {channel.stamp(request).person}
    assert {channel.normalise(address) for address in addresses} == addresses


@pytest.mark.parametrize("name", CHANNELS)
def test_every_channel_that_receives_has_recordings(name: str) -> None:
    assert not CHANNELS[name].capabilities.receives or len(list(FOLDERS[name].glob("*.json"))) >= 12
