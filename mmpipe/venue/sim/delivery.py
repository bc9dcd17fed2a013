"""The way out: what was published reaches its listeners after the age of the venue's data, faults included.

publish(topic, frame) ──data age──▶ faults: silent, garbage, late, twice, shuffled ──▶ sessions
answer(reply) ────────answer delay─▶ faults: lost, late, an error although executed ──▶ one client
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any, Final, Protocol

from mmpipe.venue.sim.accounts import Answer
from mmpipe.venue.sim.faults import Faults
from mmpipe.venue.sim.profiles import Profile
from mmpipe.venue.sim.sessions import Topic, Topics

MS_PER_S: Final = 1_000
USER_CHANNELS: Final = frozenset({"orderUpdates", "userFills", "userEvents"})
FILL_CHANNELS: Final = frozenset({"userFills", "userEvents"})
GARBAGE: Final = (
    b'{"channel":"bbo","data":{"coin":"BTC","time":',
    b"\x00\x01 not JSON",
    b'{"channel":"trades","data":[{"coin":7,"px":"NaN"}]}',
    b"[]",
    b'{"channel":"l2Book","data":{"coin":"BTC","time":1,"levels":[[{"px":"1e400","sz":"-1","n":1}],[]]}}',
)
HELD_S_MAX: Final = 1.0  # out of order is late, not lost
ERROR_TEXT: Final = "Internal error, please retry"

Reply = Callable[[Answer | None], None]


class Loop(Protocol):
    """What a delay needs of an event loop."""

    def time(self) -> float: ...
    def call_at(self, when: float, callback: Callable[..., object], *args: Any) -> object: ...
    def call_later(self, delay: float, callback: Callable[..., object], *args: Any) -> object: ...


class Delivery:
    """Sends frames and answers, as late and as wrong as it is told to.

    Parameters
    ----------
    profile : Profile
        Delays.
    topics : Topics
        Who listens to what.
    faults : Faults
        What goes wrong.
    seed : int
        Of the age of data within its bounds.
    loop : callable
        The loop whose time it is.
    """

    def __init__(
        self,
        profile: Profile,
        topics: Topics,
        faults: Faults,
        seed: int,
        loop: Callable[[], Loop] = asyncio.get_running_loop,
    ) -> None:
        self._loop = loop
        self._profile = profile
        self._topics = topics
        self._faults = faults
        self._chance = random.Random(seed)
        self._due_s = 0.0
        self._held: list[tuple[Topic, bytes]] = []

    def begin_block(self) -> None:
        """Draw the age of everything the block publishes; later blocks never arrive earlier."""
        low, high = self._profile.data_age_ms
        if high:
            now_s = self._loop().time()
            self._due_s = max(self._due_s, now_s + self._chance.uniform(low, high) / MS_PER_S)

    def wanted(self, topic: Topic) -> bool:
        """Whether anybody listens, so that nothing is encoded for nobody."""
        return self._topics.wanted(topic)

    def publish(self, topic: tuple[Any, ...], frame: bytes) -> None:
        """Send one frame to every listener of a topic."""
        if topic[0] == "lead" or not self._profile.data_age_ms[1]:
            self._deliver(topic, frame)
        else:
            self._loop().call_at(self._due_s, self._deliver, topic, frame)

    def answer(self, reply: Reply, answer: Answer) -> None:
        """Answer an action that went through a block; None tells `reply` that the answer was lost."""
        if answer["status"] == "ok":
            if self._faults.strikes("answer_lost"):
                self._faults.note("answer_lost", {"truth": answer})
                reply(None)
                return
            if self._faults.strikes("error_executed"):
                self._faults.note("error_executed", {"said": ERROR_TEXT, "truth": answer})
                answer = {"status": "err", "response": ERROR_TEXT}
        late = self._faults.strikes("answer_late")
        if late is not None:
            self._faults.note("answer_late", {"ms": late.ms, "truth": answer})
        self._later(self._profile.answer_ms + (late.ms if late else 0), reply, answer)

    def refuse(self, reply: Reply, answer: Answer) -> None:
        """Answer an action that was refused at the door."""
        self._later(self._profile.refuse_ms, reply, answer)

    def _later(self, wait_ms: int, reply: Reply, answer: Answer) -> None:
        if wait_ms <= 0:
            reply(answer)
        else:
            self._loop().call_later(wait_ms / MS_PER_S, reply, answer)

    def _deliver(self, topic: tuple[Any, ...], frame: bytes) -> None:
        channel, coin = str(topic[0]), str(topic[1]) if len(topic) > 1 else ""
        faults = self._faults
        if faults.any_on:
            if faults.strikes("lead_silent" if channel == "lead" else "silent", channel, coin):
                faults.note("silent", {"channel": channel, "coin": coin})
                return
            if channel != "lead" and faults.strikes("garbage", channel):
                frame = GARBAGE[self._chance.randrange(len(GARBAGE))]
                faults.note("garbage", {"channel": channel, "coin": coin})
            if channel in USER_CHANNELS and self._misdeliver(topic, channel, frame):
                return
        self._send(topic, frame)

    def _misdeliver(self, topic: Topic, channel: str, frame: bytes) -> bool:
        # True when the frame will be sent another time.
        faults = self._faults
        late = faults.strikes("fills_late", channel)
        if late is not None:
            faults.note("fills_late", {"channel": channel, "ms": late.ms, "frame": frame.decode()})
            self._loop().call_later(late.ms / MS_PER_S, self._send, topic, frame)
            return True
        if channel not in FILL_CHANNELS:
            return False
        if faults.strikes("fills_twice", channel):
            faults.note("fills_twice", {"channel": channel, "frame": frame.decode()})
            self._send(topic, frame)
        if any(held_topic == topic for held_topic, _ in self._held):
            self._send(topic, frame)
            self._release()
            return True
        if faults.strikes("fills_shuffled", channel):
            faults.note("fills_shuffled", {"channel": channel, "frame": frame.decode()})
            self._held.append((topic, frame))
            self._loop().call_later(HELD_S_MAX, self._release)
            return True
        return False

    def _release(self) -> None:
        held, self._held = self._held, []
        for topic, frame in held:
            self._send(topic, frame)

    def _send(self, topic: Topic, frame: bytes) -> None:
        self._topics.publish(topic, frame)
