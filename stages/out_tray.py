"""Where the reports of execution go: to risk, features and learner, in order and without loss."""

import numpy as np
from loguru import logger

from mmpipe.enums import Mode, Reason, ReportKind
from stages.outbox import Outbox
from stages.ports import Ports

REPORT_RINGS = ("report_risk", "report_features", "report_learner")


class OutTray:
    """REPORT to three readers, FILL_CONTEXT to the learner."""

    def __init__(self, ports: Ports) -> None:
        self._reports = [Outbox(ports.outputs[name]) for name in REPORT_RINGS]
        self._contexts = Outbox(ports.outputs["fill_context"])
        self._was_full = False

    def publish(self, reports: np.ndarray, contexts: np.ndarray) -> bool:
        """Offer the rows to all readers; True while a ring is full and quoting has to stop."""
        if len(reports):
            for report in reports[reports["kind"] == int(ReportKind.MODE)]:
                self._log_mode(report)
        for outbox in self._reports:
            outbox.offer(reports)
        self._contexts.offer(contexts)
        full = not all([outbox.flush() for outbox in (*self._reports, self._contexts)])
        if full and not self._was_full:
            logger.warning("a report ring is full: quoting stops until its reader is back")
        self._was_full = full
        return full

    def _log_mode(self, report: np.void) -> None:
        logger.info(
            "symbol {}: {} → {} ({}), making {:.2f} bps, taking {:.2f} bps",
            int(report["symbol"]),
            Mode(int(report["prev_mode"])).name,
            Mode(int(report["mode"])).name,
            Reason(int(report["reason"])).name,
            float(report["maker_ev_bps"]),
            float(report["taker_ev_bps"]),
        )
