"""The feeds of an exchange without sockets: a listener keeps what it is sent."""

import json
from typing import Any

from mmpipe.venue.sim import publisher
from mmpipe.venue.sim.exchange import Exchange
from mmpipe.venue.sim.limits import Client


class Listener:
    """Stands in for a session."""

    def __init__(self) -> None:
        self.raw: list[bytes] = []
        self.topics: dict[Any, None] = {}

    def send(self, frame: bytes) -> None:
        self.raw.append(frame)

    @property
    def frames(self) -> list[Any]:
        return [json.loads(frame) for frame in self.raw]

    def of(self, channel: str) -> list[Any]:
        return [frame["data"] for frame in self.frames if frame.get("channel") == channel]


class Publisher(publisher.Publisher):
    """Everything between an exchange and its sessions, and a way to listen."""

    def __init__(self, exchange: Exchange) -> None:
        super().__init__(exchange)
        self.exchange = exchange

    def listen(self, client: Client | None = None, **fields: Any) -> Any:
        listener: Any = Listener()
        self.subscriptions.subscribe(fields, listener, client or Client())
        return listener
