"""One price level with a virtual order in it, where who stands before it is known: nothing is hidden here."""

from dataclasses import dataclass


@dataclass
class Level:
    """Quantity before our place, of our order, and behind it; the venue sees all but ours."""

    ahead: int
    ours: int
    behind: int = 0

    def trade(self, qty: int) -> None:
        """First in, first out: what gets past those before us fills us, and at the venue those behind."""
        past = max(qty - self.ahead, 0)
        self.ahead = max(self.ahead - qty, 0)
        self.ours = max(self.ours - past, 0)
        self.behind = max(self.behind - past, 0)

    def add(self, qty: int) -> None:
        """Somebody queues up behind all others."""
        self.behind += qty

    @property
    def shown(self) -> int:
        """What the book of the venue shows."""
        return self.ahead + self.behind
