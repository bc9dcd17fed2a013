"""How a reader with a backlog keeps only the newest record of each symbol."""

import numpy as np


def newest_per_symbol(rows: np.ndarray) -> np.ndarray:
    """The last row of each symbol, in order of arrival.

    Parameters
    ----------
    rows : ndarray, shape (n,), a record dtype with field `symbol`
        Records in order of arrival.

    Returns
    -------
    ndarray
        `rows` itself when no symbol repeats (the usual case), otherwise a copy of the newest ones.
    """
    if len(rows) < 2:
        return rows
    last = {int(symbol): index for index, symbol in enumerate(rows["symbol"])}
    return rows if len(last) == len(rows) else rows[sorted(last.values())]
