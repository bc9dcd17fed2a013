"""Labels of aggressors: a hand-made path, an oracle over all trades, episodes and alarms, what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mmpipe.enums import LabelKind
from mmpipe.features import mid_path
from mmpipe.features.mid_path import MID_PATH
from mmpipe.models import toxic_labels
from mmpipe.models.toxic_labels import DETECTION, TRADE_PENDING, TRADE_SAMPLE
from mmpipe.models.toxicity import TOXICITY
from mmpipe.models.trade_features import AGGRESSORS
from mmpipe.records import LABEL

MS = 1_000_000
START = 1_000_000 * MS
HORIZON_MS = 1_000
FEE_BPS = 1.5
HALF_PX = 0.05


class Desk:
    """One symbol: trades around 100, a mid that moves when told."""

    def __init__(self, room: int = 64, labels: int = 32) -> None:
        self.pendings, self.detection = np.zeros(room, TRADE_PENDING), np.zeros(1, DETECTION)
        self.path, self.labels = np.zeros(1, MID_PATH), np.zeros(labels, LABEL)
        self.samples = np.zeros(labels, TRADE_SAMPLE)
        self.mid(0, 100.0)

    def mid(self, at_ms: int, mid_px: float) -> None:
        mid_path.on_mid(self.path[0], START + at_ms * MS, mid_px)

    def trade(
        self, at_ms: int, side: int, before: int = 0, after: int = 0, belief: float = 0.1,
        mid_px: float = 100.0, fresh: bool = True, qty: float = 1.0, px: float | None = None,
    ) -> None:  # fmt: skip
        aggressor, judged = np.zeros(1, AGGRESSORS), np.zeros(1, TOXICITY)
        aggressor["ts_ns"], aggressor["side"], aggressor["fresh"] = START + at_ms * MS, side, fresh
        paid = mid_px + side * HALF_PX if px is None else px
        aggressor["qty"], aggressor["notional"] = qty, paid * qty
        aggressor["met_px"] = (mid_px - HALF_PX, mid_px + HALF_PX, 1.0, 1.0)
        judged["toxic_side"], judged["side_before"] = after, before
        judged["buy_forecast"] = judged["sell_forecast"] = judged["buy_prob"] = judged["sell_prob"] = belief
        toxic_labels.expect(self.pendings, self.detection[0], aggressor[0], judged[0], 1, 7)

    def look(self, at_ms: int) -> np.ndarray:
        made = toxic_labels.resolve(
            self.pendings, self.detection[0], self.path[0], START + at_ms * MS, HORIZON_MS * MS, FEE_BPS, 3,
            self.labels, 0, self.samples, 0,
        )  # fmt: skip
        return self.labels[:made].copy()


def test_toxic_is_half_a_spread_and_the_fee_beyond_the_price_he_paid() -> None:
    enough_px = 100.05 + HALF_PX + FEE_BPS * 1e-4 * 100.05
    for mid_px, toxic in ((enough_px + 1e-9, 1), (enough_px - 1e-9, 0), (99.0, 0)):
        desk = Desk()
        desk.trade(0, 1, belief=0.3)
        desk.mid(900, mid_px)
        desk.mid(1_001, 200.0)  # after the horizon: of no interest
        assert len(desk.look(999)) == 0
        label = desk.look(1_100)[0]
        assert (label["kind"], label["side"], label["symbol"]) == (LabelKind.TRADE, 1, 3)
        assert label["filled"] == toxic
        assert label["predicted_fill_prob"] == 0.3
        assert (label["cause_seq"], label["cause_ts_ns"]) == (7, START)
        assert label["move_bps"] == pytest.approx((mid_px - 100.0) / 100.0 * 1e4)
        assert desk.samples["toxic"][0] == toxic


def test_a_seller_is_judged_the_other_way() -> None:
    desk = Desk()
    desk.trade(0, -1)
    desk.trade(1, 1)
    desk.mid(10, 99.0)
    assert desk.look(1_100)["filled"].tolist() == [1, 0]


def test_further_rows_are_judged_by_the_mean_price_of_the_whole() -> None:
    desk = Desk()
    desk.trade(0, 1)
    desk.trade(0, 1, fresh=False, px=100.15, qty=2.0)
    desk.mid(900, 100.2)
    labels = desk.look(1_100)
    assert len(labels) == 1
    assert labels["filled"][0] == 0
    assert labels["depth_bps"][0] == pytest.approx(15.0)


def test_nobody_is_judged_by_a_mid_nobody_saw() -> None:
    desk = Desk()
    desk.trade(0, 1)
    desk.mid(500, 0.0)
    assert len(desk.look(1_500)) == 0
    assert desk.detection["unjudged"][0] == 1
    assert desk.detection["judged"][0] == 0


def test_what_finds_no_room_waits_and_a_full_ring_loses_its_oldest() -> None:
    desk = Desk(room=8, labels=3)
    for step in range(10):
        desk.trade(step, 1)
    assert desk.detection["unjudged"][0] == 2
    assert [len(desk.look(2_000)) for _ in range(4)] == [3, 3, 2, 0]


def test_an_episode_is_seen_after_so_many_trades_and_milliseconds() -> None:
    desk = Desk()
    desk.trade(0, 1, belief=0.1)  # benign: the fall makes it lose
    for step, after in enumerate((0, 0, -1, -1, -1)):
        desk.trade(100 + 40 * step, -1, before=-1 if step > 2 else 0, after=after, belief=0.5)
    desk.mid(300, 99.0)
    desk.mid(5_000, 99.0)
    desk.trade(6_000, 1, mid_px=99.0)
    desk.look(9_000)
    state = desk.detection[0]
    assert (state["episodes"], state["episodes_seen"], state["toxic"]) == (1, 1, 5)
    assert (state["delay_trades"][0], state["delay_ns"][0]) == (3.0, 80 * MS)
    assert (state["alarms"], state["false_alarms"]) == (1, 0)


def test_a_verdict_that_was_there_before_has_no_delay_and_a_short_run_is_no_episode() -> None:
    desk = Desk()
    for step in range(3):
        desk.trade(40 * step, -1, before=-1, after=-1)
    desk.trade(3_000, 1, mid_px=99.0)
    desk.trade(6_000, -1, mid_px=99.0)
    desk.mid(300, 99.0)
    desk.mid(6_500, 98.0)
    desk.trade(9_000, 1, mid_px=98.0)
    desk.look(12_000)
    state = desk.detection[0]
    assert (state["episodes"], state["episodes_seen"], state["delay_trades"][0]) == (1, 1, 0.0)
    assert state["toxic"] == 4


def test_who_was_lucky_alone_before_informed_flow_does_not_begin_it() -> None:
    desk = Desk()
    desk.trade(0, -1)
    desk.trade(400, -1)  # both are beyond the fall at 900 ms by their horizon
    for step, after in enumerate((0, -1, -1)):
        desk.trade(800 + 20 * step, -1, after=after)
    desk.mid(900, 99.0)
    desk.trade(9_000, 1, mid_px=99.0)
    desk.look(12_000)
    state = desk.detection[0]
    assert (state["toxic"], state["episodes"]) == (5, 1)
    assert (state["delay_trades"][0], state["delay_ns"][0]) == (2.0, 20 * MS)


def test_an_episode_nobody_saw_has_no_delay() -> None:
    desk = Desk()
    for step in range(3):
        desk.trade(40 * step, -1)
    desk.mid(300, 99.0)
    desk.trade(3_000, 1, mid_px=99.0)
    desk.look(6_000)
    state = desk.detection[0]
    assert (state["episodes"], state["episodes_seen"]) == (1, 0)
    assert state["delay_trades"][0] == state["delay_ns"][0] == np.inf


def test_a_verdict_that_nobody_justified_is_a_false_alarm() -> None:
    desk = Desk()
    desk.trade(0, 1, after=1)
    desk.trade(100, 1, before=1, after=1)
    desk.trade(3_000, -1)
    desk.trade(3_100, 1, after=1)  # a second one, with nothing between that saw the first end
    desk.trade(3_200, 1, before=0, after=1)
    desk.trade(3_300, 1)
    desk.look(9_000)
    assert desk.detection["alarms"][0] == 3
    assert desk.detection["false_alarms"][0] == 3


moves = st.tuples(
    st.integers(1, 700), st.sampled_from([1, -1]), st.integers(-4, 4), st.integers(1, 99),
)  # fmt: skip


@given(st.lists(moves, max_size=30))
@settings(max_examples=80, deadline=None)
def test_labels_and_brier_as_counted_by_hand(steps: list[tuple[int, int, int, int]]) -> None:
    desk, at_ms, mid_px, changes, trades = Desk(), 0, 100.0, [(0, 100.0)], []
    for wait_ms, side, move, percent in steps:
        at_ms += wait_ms
        desk.trade(at_ms, side, belief=percent / 100.0, mid_px=mid_px)
        trades.append((at_ms, side, mid_px + side * HALF_PX, percent / 100.0))
        mid_px += move * 0.05
        changes.append((at_ms, mid_px))
        desk.mid(at_ms, mid_px)
    labels = desk.look(at_ms + HORIZON_MS)
    expected, brier, base_brier = [], 0.0, 0.0
    for number, (at, side, paid_px, prob) in enumerate(trades):
        later_px = [px for when, px in changes if when <= at + HORIZON_MS][-1]
        toxic = int(side * (later_px - paid_px) >= HALF_PX + FEE_BPS * 1e-4 * paid_px)
        base = (sum(expected) + 0.5) / (number + 1.0)
        brier, base_brier = brier + (prob - toxic) ** 2, base_brier + (base - toxic) ** 2
        expected.append(toxic)
    assert labels["filled"].tolist() == expected
    assert desk.detection["brier_sum"][0] == pytest.approx(brier)
    assert desk.detection["brier_base_sum"][0] == pytest.approx(base_brier)
