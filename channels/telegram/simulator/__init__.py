"""A simulated Telegram: the Bot API with its limits and errors, people with phones, webhooks."""

from channels.telegram.simulator.platform import OWN_BOT, OWN_TOKEN, Platform

__all__ = ["OWN_BOT", "OWN_TOKEN", "Platform"]
