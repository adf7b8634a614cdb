"""What a clause says in one language: the roles that its words play, and how they stand."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import product

from services.consent.lexicon import Hit
from services.consent.spelling import Words, joined

Span = tuple[int, int]

SCOPE = 3
"""Words between a negation and what it can still negate."""
NEAR = 6
"""Words between two roles that belong together."""
BESIDE = 4
"""Words on either side of what was heard that are about the same thing."""
MEANINGLESS = frozenset({"small", "joint"})
"""Roles of words that every sentence needs, whatever it is about."""
NOT_AFTER = frozenset({"de", "nl", "da", "sv", "ko", "et", "mt", "ja", "hi", "tr"})
"""Languages in which the negation of a command may follow it: "schreibt mir nicht"."""


class Clause:
    """The words of a clause, and where each role stands; longer phrases hide what is in them."""

    def __init__(self, words: Words, hits: Sequence[Hit], language: str) -> None:
        self.words = words
        self._hits = hits
        self._language = language
        self.negation_may_follow = language in NOT_AFTER
        self.named = 0.0
        """How likely "it" stands for a list, a number or a consent that the message has named."""
        self._spans: dict[str, list[Span]] = defaultdict(list)
        self._covered: dict[int, Span] = {}
        self._small = {
            place for hit in hits if hit.role in MEANINGLESS for place in range(hit.start, hit.end)
        }
        listed = [hit for hit in hits if hit.role == "stop"]
        joints = [(hit.start, hit.end) for hit in hits if hit.role == "joint"]
        roles = [hit for hit in hits if hit.role != "stop" and hit.role not in MEANINGLESS]
        for hit in sorted(roles, key=lambda hit: (hit.start - hit.end, hit.start)):
            span = (hit.start, hit.end)
            places = range(*span)
            if all(self._covered.get(place, span) == span for place in places):
                self._spans[hit.role].append(span)
                if hit.role == "doubt":
                    self._small.update(places)
                else:
                    self._covered.update(dict.fromkeys(places, span))
        self.joints = [span for span in joints if span[0] not in self._covered]
        self.listed = [(hit.start, hit.end) for hit in listed if self._is_all_but_courtesy(hit)]

    @classmethod
    def of(cls, clauses: Sequence["Clause"]) -> "Clause":
        """Read clauses of one language as a single one."""
        words: Words = ()
        hits: list[Hit] = []
        for clause in clauses:
            past = len(words)
            hits.extend(
                Hit(hit.start + past, hit.end + past, hit.language, hit.role)
                for hit in clause._hits
            )
            words += clause.words
        whole = cls(words, hits, clauses[0]._language)
        whole.named = clauses[0].named
        return whole

    def part(self, start: int, end: int) -> "Clause":
        """Read some of the words alone."""
        hits = [
            Hit(hit.start - start, hit.end - start, hit.language, hit.role)
            for hit in self._hits
            if start <= hit.start and hit.end <= end
        ]
        return Clause(self.words[start:end], hits, self._language)

    def has(self, *roles: str) -> bool:
        """Does any of its words play one of these roles?"""
        return not self._spans.keys().isdisjoint(roles)

    def spans(self, *roles: str) -> list[Span]:
        """Return where these roles stand."""
        if len(roles) == 1:
            return self._spans.get(roles[0], [])
        return [span for role in roles for span in self._spans.get(role, ())]

    def said(self, role: str) -> list[str]:
        """Return the words that play a role."""
        return [self.text(span) for span in self.spans(role)]

    def text(self, *spans: Span) -> str:
        """Return the words from the first to the last of these places."""
        start, end = min(start for start, _ in spans), max(end for _, end in spans)
        return joined(self.words[start:end])

    def pairs(
        self, one: Iterable[str], other: Iterable[str], *, within: int = NEAR
    ) -> Iterator[tuple[Span, Span]]:
        """Yield those of one and of other roles that stand near each other, in any order."""
        firsts, seconds = self.spans(*one), self.spans(*other)
        if not firsts or not seconds:
            return
        for first, second in product(firsts, seconds):
            if gap(first, second) <= within:
                yield first, second

    def linked(self, negation: Span, command: Span) -> bool:
        """Does a negation reach a command, over short words and known ones alone?"""
        between = range(negation[1], command[0])
        return len(between) <= SCOPE and all(
            place in self._covered or place in self._small or len(self.words[place]) <= 3
            for place in between
        )

    def affirmed(self, *roles: str) -> list[Span]:
        """Return where these roles stand that no negation reaches."""
        return [span for span in self.spans(*roles) if not self._negated(span)]

    def _negated(self, span: Span) -> bool:
        return any(
            0 <= span[0] - end <= SCOPE and not self._used_up(end, span[0])
            for start, end in self.spans("not")
            if (start, end) not in self.spans("want")
        )

    def _used_up(self, start: int, end: int) -> bool:
        """Is something nearer denied by a negation? "Don't write to me please unsubscribe"."""
        return any(
            start <= first and past <= end
            for first, past in self.spans("writing", "tell", "notes", "courtesy")
        )

    def _is_all_but_courtesy(self, listed: Hit) -> bool:
        polite = {place for span in self.spans("courtesy") for place in range(*span)}
        return all(
            listed.start <= place < listed.end or place in polite
            for place in range(len(self.words))
        )

    def loose(self) -> int:
        """Count the words that play no role."""
        return len(self.words) - len(self._covered)

    def unexplained(self, beside: Span | None = None) -> int:
        """Count the words with a meaning that play no role, near a place or in all the clause.

        Short words are taken for articles and the like.
        """
        start, end = (beside[0] - BESIDE, beside[1] + BESIDE) if beside else (0, len(self.words))
        loose = [
            self.words[place]
            for place in range(max(start, 0), min(end, len(self.words)))
            if place not in self._covered and place not in self._small
        ]
        signs = sum(len(word) == 1 and word > "\u2e80" for word in loose)
        return signs // 2 + sum(len(word) > 2 for word in loose)


def gap(one: Span, other: Span) -> int:
    """Count the words between two places."""
    return max(one[0] - other[1], other[0] - one[1], 0)
