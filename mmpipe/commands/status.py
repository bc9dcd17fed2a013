"""`mmpipe status`: one look at a running pipeline."""

import json

from rich.console import Console

from mmpipe.dashboard.screen import render
from mmpipe.dashboard.status import LineReader
from stages.context import read_context
from stages.supervisor import require_running

WIDE = 200  # columns, where nobody says how many there are


def show_status(instance: str, as_json: bool) -> None:
    """Print the state of `instance`, as a screen or as `run/1`.

    Raises
    ------
    NotRunningError
        Nothing of that name runs.
    """
    require_running(instance)
    status = LineReader(read_context(instance)).status()
    if as_json:
        print(json.dumps(status, indent=1))
    else:
        console = Console()
        # A pipe has no width: 80 columns would break every number of the table.
        (console if console.is_terminal else Console(width=WIDE)).print(render(status))
