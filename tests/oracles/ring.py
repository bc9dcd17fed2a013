"""What a ring means, as a deque: slow, obvious, one process."""

from collections import deque


class RingOracle:
    """Bounded first-in first-out queue that numbers what it accepts, from 1."""

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.waiting: deque[tuple[int, float]] = deque()
        self.next_seq = 1

    def push(self, prices: list[float]) -> int:
        accepted = prices[: self.capacity - len(self.waiting)]
        for price in accepted:
            self.waiting.append((self.next_seq, price))
            self.next_seq += 1
        return len(accepted)

    def release(self, count: int) -> None:
        for _ in range(count):
            self.waiting.popleft()
