"""Journey B: a story travels from an API call to phones, and every message is accounted for."""

import io

from PIL import Image

from tests.house import BOT


def picture(colour: str) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (270, 480), colour).save(buffer, "JPEG")
    return buffer.getvalue()


async def upload(house, colour):
    files = {"file": (f"{colour}.jpg", picture(colour), "image/jpeg")}
    return (await house.call("POST", "/v1/media", files=files))["id"]


async def story(house):
    frames = [
        {"media_id": await upload(house, colour), "text": text, "alt": text}
        for colour, text in (("red", "Alba"), ("green", "Miscela"), ("blue", "Autunno"))
    ]
    frames[-1]["button"] = {"label": "Assaggia", "url": "https://aurora.example/autunno"}
    return {"title": "Autunno", "language": "it", "frames": frames}


async def test_three_frames_reach_everybody_who_agreed_and_nobody_else(house):
    agreed = await house.people(6)
    silent = await house.people(2, granted=False)
    campaign = await house.campaign(await story(house))
    totals = await house.finished(campaign)

    assert (totals["accepted"], totals["sent"]) == (6, 6)
    for address in agreed:
        shown = house.shown(address)
        assert sum(len(m.get("items", [m])) for m in shown) >= 3, shown
        assert "https://aurora.example/autunno" in str(shown)
    assert [house.shown(address) for address in silent] == [[], []]


async def test_pictures_are_uploaded_once_and_then_sent_by_reference(house):
    await house.people(8)
    campaign = await house.campaign(await story(house))
    await house.finished(campaign)

    sent = [entry for entry in house.telegram.log.since(0) if "sendMediaGroup" in str(entry)]
    assert len(sent) == 8
    assert len(house.telegram.account(BOT).files) == 3


async def test_each_named_address_gets_an_answer_of_its_own(house):
    (ada,) = await house.people(1)
    (bob,) = await house.people(1, granted=False)
    campaign = await house.campaign(
        {"title": "t", "language": "it", "frames": [{"text": "Ciao"}]},
        addresses=[ada, bob],
    )
    totals = await house.finished(campaign)

    assert (totals["accepted"], totals["sent"], totals["withheld"]) == (2, 1, {"no_consent": 1})
    assert house.shown(bob) == []


async def test_preflight_counts_what_the_launch_then_does(house):
    await house.people(3)
    (gone,) = await house.people(1)
    await house.consent(gone, "revoke")
    told = await house.call(
        "POST",
        "/v1/stories",
        json={"title": "t", "language": "it", "frames": [{"text": "Ciao"}]},
    )
    made = await house.call(
        "POST",
        "/v1/campaigns",
        json={
            "name": "c",
            "story_id": told["id"],
            "account_ids": [str(house.account_id)],
            "audience": {"everyone": True},
        },
    )
    preflight = await house.call("POST", f"/v1/campaigns/{made['id']}/preflight")
    await house.call("POST", f"/v1/campaigns/{made['id']}/launch")
    totals = await house.finished(made["id"])

    assert (preflight["eligible"], preflight["excluded"]) == (3, {"revoked": 1})
    assert totals["accepted"] == 3


async def test_a_paused_campaign_sends_nothing_until_it_is_resumed(house):
    addresses = await house.people(20)
    async with house.telegram.holding() as arrived:
        campaign = await house.campaign(
            {"title": "t", "language": "it", "frames": [{"text": "Ciao"}]}
        )
        await arrived.wait()
        await house.call("POST", f"/v1/campaigns/{campaign}/pause")
        held = house.telegram.gate.waiting
    await house.until(lambda: sum(bool(house.shown(a)) for a in addresses) >= held)
    totals = await house.totals(campaign)

    assert totals["claimed"] == 0
    assert totals["queued"] > 0
    await house.call("POST", f"/v1/campaigns/{campaign}/resume")
    assert (await house.finished(campaign))["sent"] == 20
    assert [len(house.shown(address)) for address in addresses] == [1] * 20


async def test_a_cancelled_campaign_ends_with_what_flew(house):
    await house.people(20)
    async with house.telegram.holding() as arrived:
        campaign = await house.campaign(
            {"title": "t", "language": "it", "frames": [{"text": "Ciao"}]}
        )
        await arrived.wait()
        await house.call("POST", f"/v1/campaigns/{campaign}/cancel")

    async def over():
        totals = await house.totals(campaign)
        return totals["queued"] + totals["claimed"] + totals["sending"] == 0

    await house.until(over)
    totals = await house.totals(campaign)
    assert totals["sent"] >= 1
    assert totals["cancelled"] >= 1
