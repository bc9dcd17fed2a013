"""The pipeline on one screen: every ring with its one writer and one reader, every cell with its writer.

    venues ─▶ feed ──EVENT──▶ features ──SNAPSHOT──▶ alpha ──FORECAST──▶ execution ──orders──▶ venue
                               ▲ │  ▲                 ▲ │                 ▲ │  ▲ │               ▲
                        REPORT─┘ │  └─PARAMS───┐PARAMS┘ └PREDICTION─┐     │ │  │ └──REPORT──┐    │
                                 │             │ │                  ▼     │ │  │            ▼    │
                                 └────LABEL───▶ learner ◀───────────┴─────┼─┘  └─COMMAND── risk ─┘
                                                └──────────PARAMS─────────┘       KILL LEASE   cancel-all
                                         learner also reads REPORT and FILL_CONTEXT

A ring has exactly one writer and one reader; a cell has one writer and any number of readers.
Segments are named `mmpipe.<uid>.<instance>.<ring>`; nothing outside this file names one.
"""

import os
from typing import Final, NamedTuple

import numpy as np

from mmpipe import boards, records
from mmpipe.enums import StageId


class RingSpec(NamedTuple):
    """A single-producer single-consumer ring between two processes."""

    name: str
    dtype: np.dtype
    slots_key: str  # key of [rings]
    writer: StageId
    reader: StageId


class CellSpec(NamedTuple):
    """The latest value of one record, one writer, any number of readers."""

    name: str
    dtype: np.dtype
    writer: StageId
    per_symbol: bool


def heartbeat_of(stage: StageId) -> str:
    """Name of the cell `stage` shows its life and counters in."""
    return f"heartbeat_{stage.name.lower()}"


FEED, FEATURES, ALPHA, EXECUTION, RISK, LEARNER, SUPERVISOR, VENUE = StageId

LINE: Final = (FEED, FEATURES, ALPHA, EXECUTION, RISK)  # the pinned stages, in order of flow
BEATING: Final = (*LINE, LEARNER)  # processes with a heartbeat
START_ORDER: Final = (RISK, LEARNER, EXECUTION, ALPHA, FEATURES, FEED)  # readers before writers
STOP_ORDER: Final = (EXECUTION, FEED, FEATURES, ALPHA, LEARNER, RISK)  # quotes off first, risk last

RINGS: Final = (
    RingSpec("event", records.EVENT, "event_slots", FEED, FEATURES),
    RingSpec("snapshot", records.SNAPSHOT, "snapshot_slots", FEATURES, ALPHA),
    RingSpec("forecast", records.FORECAST, "forecast_slots", ALPHA, EXECUTION),
    RingSpec("report_risk", records.REPORT, "report_slots", EXECUTION, RISK),
    RingSpec("report_features", records.REPORT, "report_slots", EXECUTION, FEATURES),
    RingSpec("report_learner", records.REPORT, "report_slots", EXECUTION, LEARNER),
    RingSpec("fill_context", records.FILL_CONTEXT, "fill_context_slots", EXECUTION, LEARNER),
    RingSpec("label", records.LABEL, "label_slots", FEATURES, LEARNER),
    RingSpec("prediction", records.PREDICTION, "label_slots", ALPHA, LEARNER),
    RingSpec("params_features", records.PARAMS, "params_slots", LEARNER, FEATURES),
    RingSpec("params_alpha", records.PARAMS, "params_slots", LEARNER, ALPHA),
    RingSpec("params_execution", records.PARAMS, "params_slots", LEARNER, EXECUTION),
    RingSpec("command", records.COMMAND, "command_slots", RISK, EXECUTION),
    RingSpec("resync", records.COMMAND, "command_slots", FEATURES, FEED),
)

CELLS: Final = (
    CellSpec("kill", records.KILL, RISK, per_symbol=False),
    CellSpec("lease", records.LEASE, RISK, per_symbol=False),
    CellSpec("board", boards.BOARD, EXECUTION, per_symbol=True),
    CellSpec("risk_board", boards.RISK_BOARD, RISK, per_symbol=True),
    CellSpec("feed_board", boards.FEED_BOARD, FEED, per_symbol=True),
    CellSpec("model_board", boards.MODEL_BOARD, FEATURES, per_symbol=True),
    CellSpec("alpha_board", boards.ALPHA_BOARD, ALPHA, per_symbol=True),
    *(CellSpec(heartbeat_of(stage), records.HEARTBEAT, stage, per_symbol=False) for stage in BEATING),
)

# Latency histograms, single-writer counter arrays: the time a batch was worked on, and how long its first
# record had waited since the stage before published it (features: since its frame came, decoding included).
HISTOGRAMS: Final = ("work", "wait")
HISTOGRAM_STAGES: Final = LINE
TICK_TO_ORDER: Final = "tick_to_order"  # written by execution


def segment_prefix(instance: str) -> str:
    """`mmpipe.<uid>.<instance>.`, the start of every segment name of this instance and user."""
    return f"mmpipe.{os.getuid()}.{instance}."


def inputs_of(stage: StageId) -> tuple[RingSpec, ...]:
    """The rings `stage` reads, in the order it drains them."""
    return tuple(ring for ring in RINGS if ring.reader == stage)


def outputs_of(stage: StageId) -> tuple[RingSpec, ...]:
    """The rings `stage` writes."""
    return tuple(ring for ring in RINGS if ring.writer == stage)
