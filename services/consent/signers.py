"""Who signs each brand's log: one key of the service, under a name for each log."""

from uuid import UUID

from shared.ledger.notes import NoteSigner, read_seed


class Signers:
    """Makes the signer of any log."""

    def __init__(self, origin: str, key: str) -> None:
        """Take what all names begin with, and an Ed25519 seed; ValueError for what is none."""
        self._origin = origin
        self._seed = read_seed(key)
        self._made: dict[UUID, NoteSigner] = {}
        # A wrong setting ends the start, not the first checkpoint.
        NoteSigner(origin, self._seed)

    def of(self, brand_id: UUID) -> NoteSigner:
        """Return the signer of a brand's log; its name is the log's origin."""
        if brand_id not in self._made:
            self._made[brand_id] = NoteSigner(f"{self._origin}/{brand_id}", self._seed)
        return self._made[brand_id]
