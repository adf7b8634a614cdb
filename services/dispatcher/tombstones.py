"""The words that stand where a story was and can no longer be deleted."""

from collections.abc import Mapping

_WORDS: Mapping[str, str] = {
    "ar": "انتهت هذه القصة.",
    "de": "Diese Story ist vorbei.",
    "en": "This story is over.",
    "es": "Esta historia ha terminado.",
    "fr": "Cette story est terminée.",
    "it": "Questa storia è finita.",
    "nl": "Dit verhaal is voorbij.",
    "pl": "Ta historia już się skończyła.",
    "pt": "Esta história terminou.",
    "ro": "Această poveste s-a încheiat.",
    "ru": "Эта история закончилась.",
    "sv": "Den här storyn är slut.",
    "tr": "Bu hikâye sona erdi.",
    "uk": "Ця історія завершилася.",
    "zh": "此故事已结束。",
}
"""By primary language; the languages of the house's other words."""


def words(language: str) -> str:
    """Return them in a language, in English where we do not have it."""
    return _WORDS.get(language.lower().partition("-")[0], _WORDS["en"])
