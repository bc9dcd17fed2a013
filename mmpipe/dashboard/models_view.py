"""Which artefacts decide in a running line: what the run was told, and what its stages say they use.

`decides` comes from the cells the stages write, not from the configuration: a stage that fell back, or runs
with another file, shows here.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from mmpipe.enums import ModelKind
from mmpipe.models.model_set import ids_of, models_id_of
from stages.context import Context

# Execution values places; the other kinds are asked by features alone.
IN_EXECUTION = (ModelKind.QUEUE_VALUE, ModelKind.FILL_SURVIVAL)


def models_view(context: Context, cell: Callable[[str], np.void], symbols: int) -> dict[str, Any]:
    """Per kind of model: hash and path of its artefact (None: built in), and where it decides.

    Parameters
    ----------
    context : Context
        Of the run.
    cell : callable
        Newest record of a cell by name.
    symbols : int
        All of them must say the same.

    Returns
    -------
    dict
        By name of the kind: sha256, path, decides {features, execution}; execution is None where a kind is
        not asked there.
    """
    hashes, ids = context.models_sha256, ids_of(context.models_sha256)
    said = [cell(f"model_board.{symbol}").copy() for symbol in range(symbols)]
    executing = [cell(f"board.{symbol}").copy() for symbol in range(symbols)]
    all_of_them, view = models_id_of(hashes), {}
    for kind in ModelKind:
        name = kind.name.lower()
        features = all(board["ts_ns"] > 0 and board["artefact_ids"][kind] == ids[kind] for board in said)
        execution = all(board["ts_ns"] > 0 and board["models_id"] == all_of_them for board in executing)
        view[name] = {
            "sha256": hashes.get(name),
            "path": getattr(context.config.models, name) or None,
            "decides": {
                "features": bool(features),
                "execution": bool(execution) if kind in IN_EXECUTION else None,
            },
        }
    return view
