"""What the learner says of its parameters: each one once when evidence replaces its prior, or fades again."""

import numpy as np
from loguru import logger

from mmpipe.enums import Param

TIERS = ("configured", "learned")


class ParameterLog:
    """Remembers the tier of every parameter and logs its changes."""

    def __init__(self) -> None:
        self._tiers: dict[tuple[int, int], int] = {}
        self._mute: set[int] = set()  # symbols whose toxicity means nothing

    def tell(self, rows: np.ndarray) -> None:
        """Log parameters among PARAMS `rows` whose tier is another one than before."""
        for row in rows:
            key, tier = (int(row["symbol"]), int(row["param"])), int(row["tier"])
            if self._tiers.get(key, 0) != tier:
                logger.info(
                    "{} of symbol {} is {} now: {:.4g} ± {:.2g} from {} observations",
                    Param(key[1]).name,
                    key[0],
                    TIERS[tier],
                    float(row["value"]),
                    float(row["std"]),
                    int(row["observations"]),
                )
            self._tiers[key] = tier
            if key[1] == Param.TOXICITY_SLOPE:
                self._tell_signal(key[0], float(row["value"]))

    def _tell_signal(self, symbol: int, slope: float) -> None:
        if slope > 0.0:
            self._mute.discard(symbol)
        elif symbol not in self._mute:
            self._mute.add(symbol)
            logger.warning(
                "toxicity of symbol {} carries no signal: what came of trades does not rise with it; "
                "its probability is the base rate until that changes",
                symbol,
            )
