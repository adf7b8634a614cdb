"""A simulated brand: receivers that believe what is signed and take each message once."""

from channels.webhook.simulator.platform import OWN_HOOK, Platform

__all__ = ["OWN_HOOK", "Platform"]
