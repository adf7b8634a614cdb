"""Sending updates to bots, as telegram-bot-api's WebhookActor does.

One update a request. Updates of one kind and one chat form a queue with one request in flight, and
a failing update holds up those behind it. The first retry comes at once, then after 2, 4, 8 …
seconds, at most 60–120; `Retry-After` is obeyed; what is too old is dropped; a bot that answers 410
for more than 23 hours loses its webhook.
"""

import asyncio
import random
import ssl
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import aiohttp

from channels.base.simulator.clock import TurnableClock
from channels.telegram.simulator.state import Bot, Update, Webhook

SECRET_HEADER = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105  (a header's name)
ANSWER_SECONDS = 60
GONE_SECONDS = 23 * 3600
MOST_RETRY_AFTER = 3600
CALM_RETRY = (60.0, 120.0)


@dataclass(slots=True)
class _Sender:
    """One bot's webhook at work."""

    bot: Bot
    webhook: Webhook
    session: aiohttp.ClientSession
    slots: asyncio.Semaphore
    queues: dict[str, deque[Update]] = field(default_factory=dict)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)
    last_error: tuple[int, str] | None = None
    gone_since: float | None = None


class Webhooks:
    """All webhooks of the platform."""

    def __init__(self, clock: TurnableClock) -> None:
        """Send by this clock."""
        self._clock = clock
        self._senders: dict[int, _Sender] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._chance = random.Random(0)  # noqa: S311  (repeatable on purpose)

    def set(self, bot: Bot, webhook: Webhook) -> None:
        """Send this bot's updates there from now on, those that wait included."""
        self._stop(bot)
        bot.webhook = webhook
        session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=webhook.max_connections, ssl=_trust(webhook), ttl_dns_cache=1800
            ),
            timeout=aiohttp.ClientTimeout(total=ANSWER_SECONDS),
            trust_env=False,
        )
        slots = asyncio.Semaphore(webhook.max_connections)
        self._senders[bot.id] = _Sender(bot, webhook, session, slots)
        for update in bot.updates.values():
            self.add(bot, update)

    def remove(self, bot: Bot) -> None:
        """Send this bot nothing more; what waits can still be fetched by `getUpdates`."""
        self._stop(bot)
        bot.webhook = None

    def add(self, bot: Bot, update: Update) -> None:
        """Put an update at the end of its queue."""
        sender = self._senders.get(bot.id)
        if sender is None:
            return
        queue = sender.queues.get(update.queue)
        if queue is not None:
            queue.append(update)
            return
        sender.queues[update.queue] = deque([update])
        task = asyncio.get_running_loop().create_task(self._drain(sender, update.queue))
        sender.tasks.add(task)
        task.add_done_callback(sender.tasks.discard)

    def troubles(self, bot: Bot) -> dict[str, Any]:
        """Return `last_error_date` and `last_error_message`, if there are any."""
        sender = self._senders.get(bot.id)
        if sender is None or sender.last_error is None:
            return {}
        date, message = sender.last_error
        return {"last_error_date": date, "last_error_message": message}

    async def close(self) -> None:
        """Stop every webhook and let go of the connections."""
        for sender in list(self._senders.values()):
            self._stop(sender.bot)
        if self._closing:
            await asyncio.gather(*self._closing)

    def _stop(self, bot: Bot) -> None:
        sender = self._senders.pop(bot.id, None)
        if sender is not None:
            closing = asyncio.get_running_loop().create_task(_close(sender))
            self._closing.add(closing)
            closing.add_done_callback(self._closing.discard)

    async def _drain(self, sender: _Sender, name: str) -> None:
        """Send one queue's updates, one after the other, until it is empty."""
        queue = sender.queues[name]
        failures = 0
        while queue:
            update = queue[0]
            if update.id in sender.bot.updates and self._clock.now() < update.expires_at:
                async with sender.slots:
                    status, retry_after, trouble = await _post(sender, update)
                self._note(sender, status, trouble)
                if trouble is not None:
                    failures += 1
                    await self._clock.sleep(self._pause(failures, retry_after))
                    continue
            failures = 0
            queue.popleft()
            sender.bot.updates.pop(update.id, None)
        del sender.queues[name]

    def _pause(self, failures: int, retry_after: float | None) -> float:
        if retry_after is not None:
            return min(max(0.0, retry_after), MOST_RETRY_AFTER)
        if failures == 1:
            return 0.0
        return min(2.0 ** (failures - 1), self._chance.uniform(*CALM_RETRY))

    def _note(self, sender: _Sender, status: int, trouble: str | None) -> None:
        now = self._clock.now()
        if trouble is not None:
            sender.last_error = (int(now), trouble)
        if status != 410:
            sender.gone_since = None
        elif sender.gone_since is None:
            sender.gone_since = now
        elif now - sender.gone_since > GONE_SECONDS and self._senders.get(sender.bot.id) is sender:
            self.remove(sender.bot)


async def _post(sender: _Sender, update: Update) -> tuple[int, float | None, str | None]:
    """Send one update; return the status, the wait asked for, and what went wrong."""
    headers = {"Content-Type": "application/json", "Accept-Encoding": "gzip, deflate"}
    if sender.webhook.secret is not None:
        headers[SECRET_HEADER] = sender.webhook.secret
    try:
        async with sender.session.post(
            sender.webhook.url, data=update.body, headers=headers, allow_redirects=False
        ) as response:
            await response.content.read(1 << 16)
            if 200 <= response.status < 300:
                return response.status, None, None
            trouble = f"Wrong response from the webhook: {response.status} {response.reason or ''}"
            return response.status, _seconds(response.headers.get("Retry-After")), trouble.strip()
    except aiohttp.ClientConnectorCertificateError:
        return 0, None, "SSL error {error:0A000086:SSL routines::certificate verify failed}"
    except aiohttp.ClientConnectorError:
        return 0, None, "Connection refused"
    except TimeoutError:
        return 0, None, "Read timeout expired"
    except (aiohttp.ClientError, OSError):
        return 0, None, "Connection reset by peer"


def _seconds(value: str | None) -> float | None:
    try:
        return None if value is None else float(value)
    except ValueError:
        return None


def _trust(webhook: Webhook) -> ssl.SSLContext | bool:
    if webhook.certificate is None:
        return True
    return ssl.create_default_context(cadata=webhook.certificate)


async def _close(sender: _Sender) -> None:
    for task in sender.tasks:
        task.cancel()
    await asyncio.gather(*sender.tasks, return_exceptions=True)
    await sender.session.close()
