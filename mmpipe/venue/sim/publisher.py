"""What stands between an exchange and whoever listens: channels, cadences, the operator's levers.

    block ─▶ changed quotes, trades, users' messages ─┐
    time  ─▶ books, contexts, states ─────────────────┴─▶ delivery ─▶ sessions

The server runs it on the loop of its process; who makes a market without sockets hands it a loop whose time
is the market's own.
"""

import asyncio
from collections.abc import Callable

from mmpipe.clock import NS_PER_MS
from mmpipe.venue.sim.controls import Cadence, Controls
from mmpipe.venue.sim.delivery import Delivery, Loop
from mmpipe.venue.sim.exchange import Exchange
from mmpipe.venue.sim.faults import Faults
from mmpipe.venue.sim.feeds import Feeds
from mmpipe.venue.sim.history import History
from mmpipe.venue.sim.info_request import Desk
from mmpipe.venue.sim.lead_feed import LeadFeed
from mmpipe.venue.sim.limits import Clients
from mmpipe.venue.sim.sessions import Topics
from mmpipe.venue.sim.state import BlockResult
from mmpipe.venue.sim.subscriptions import Subscriptions


class Publisher:
    """Everything between one exchange and its sessions.

    Parameters
    ----------
    exchange : Exchange
        Read; its answers are told here.
    loop : callable
        The loop whose time delays what is delivered.

    Attributes
    ----------
    clients, controls, delivery, desk, faults, feeds, lead, subscriptions, topics
        The parts, for the doors of a server.
    """

    def __init__(self, exchange: Exchange, loop: Callable[[], Loop] = asyncio.get_running_loop) -> None:
        settings = exchange.state.settings
        self.profile = settings.profile
        self.faults = Faults(settings.seed)
        self.cadence = Cadence(self.profile.book_fast_ms, self.profile.book_full_ms)
        self.controls = Controls(exchange, self.faults, self.cadence)
        self.topics = Topics()
        self.clients = Clients(self.profile.limits)
        self.desk = Desk(exchange.state, History(exchange.state))
        self.delivery = Delivery(self.profile, self.topics, self.faults, settings.seed, loop)
        self.feeds = Feeds(self.desk, self.delivery, self.faults)
        self.lead = LeadFeed(exchange.state, self.topics, self.delivery)
        self.subscriptions = Subscriptions(self.desk, self.topics, self.feeds, self.clients)
        self._turns: dict[str, int] = {}

    def begin_turns(self, now_ns: int) -> None:
        """Count the cadences of books, contexts and states from `now_ns`."""
        self._turns = dict.fromkeys(("fast", "full", "context", "state"), now_ns)

    def publish(self, result: BlockResult) -> None:
        """Send what one block changed."""
        self.feeds.publish_block(result)
        self.lead.publish()

    def publish_slow(self, now_ns: int) -> None:
        """Send what comes by time, each at its own cadence; time is that of `begin_turns`."""
        if self._is_due("fast", now_ns, self.cadence.fast_ms):
            self.feeds.publish_books(fast=True)
        if self._is_due("full", now_ns, self.cadence.full_ms):
            self.feeds.publish_books(fast=False)
        if self._is_due("context", now_ns, self.profile.context_ms):
            self.feeds.publish_contexts()
        if self._is_due("state", now_ns, self.profile.state_ms):
            self.feeds.publish_states()

    def _is_due(self, name: str, now_ns: int, interval_ms: int) -> bool:
        # A cadence may change while it runs.
        interval_ns = interval_ms * NS_PER_MS
        behind_ns = (now_ns - self._turns[name]) // interval_ns * interval_ns
        self._turns[name] += max(behind_ns, 0)
        return behind_ns > 0
