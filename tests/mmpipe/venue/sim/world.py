"""The feeds of an exchange without sockets: a listener keeps what it is sent."""

import json
from typing import Any

from mmpipe.venue.sim.delivery import Delivery
from mmpipe.venue.sim.exchange import Exchange
from mmpipe.venue.sim.faults import Faults
from mmpipe.venue.sim.feeds import Feeds
from mmpipe.venue.sim.history import History
from mmpipe.venue.sim.info_request import Desk
from mmpipe.venue.sim.lead_feed import LeadFeed
from mmpipe.venue.sim.limits import Client, Clients
from mmpipe.venue.sim.sessions import Topics
from mmpipe.venue.sim.subscriptions import Subscriptions


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


class Publisher:
    """Everything between an exchange and its sessions."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.topics = Topics()
        self.faults = Faults(7)
        self.desk = Desk(exchange.state, History(exchange.state))
        self.delivery = Delivery(exchange.state.settings.profile, self.topics, self.faults, 7)
        self.feeds = Feeds(self.desk, self.delivery, self.faults)
        self.lead = LeadFeed(exchange.state, self.topics, self.delivery)
        self.clients = Clients(False)
        self.subscriptions = Subscriptions(self.desk, self.topics, self.feeds, self.clients)

    def listen(self, client: Client | None = None, **fields: Any) -> Any:
        listener: Any = Listener()
        self.subscriptions.subscribe(fields, listener, client or Client())
        return listener
