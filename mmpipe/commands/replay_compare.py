"""`mmpipe replay --compare`: one recording with the whole judgement and without each part, as one table."""

from collections.abc import Iterator
from typing import Any, Final

from rich.console import Console
from rich.progress import track
from rich.table import Table

from mmpipe.enums import Part
from mmpipe.errors import UsageError

SCHEMA: Final = "replay-compare/1"
COMPARED: Final = (
    "fills", "orders", "equity", "fee", "adverse_share", "markout_bps", "fills_sha256", "state_sha256",
)  # fmt: skip


def parts_of(text: str) -> Part:
    """Parts by name, separated by commas; empty: none.

    Raises
    ------
    UsageError
        No part has such a name; the message lists them.
    """
    parts = Part(0)
    for name in filter(None, (word.strip() for word in text.split(","))):
        if name.upper() not in Part.__members__:
            raise UsageError(f"--without {name}: no such part; choose from: {', '.join(names_of(~Part(0)))}")
        parts |= Part[name.upper()]
    return parts


def names_of(parts: Part) -> list[str]:
    """Names of parts as the command line writes them, in the order of their codes."""
    return [part.name.lower() for part in Part if part & parts and part.name]


def variants(parts: Part) -> Iterator[Part]:
    """What is replayed to compare: the whole line, then without each of `parts`; none given: of all."""
    yield Part(0)
    yield from (part for part in Part if part & (parts or ~Part(0)))


def comparison(name: str, reports: list[dict[str, Any]]) -> dict[str, Any]:
    """`replay-compare/1`: what each variant did, the whole line first."""
    rows = [{"without": report["without"], **{key: report[key] for key in COMPARED}} for report in reports]
    head = {key: reports[0][key] for key in ("version", "git", "machine", "rows", "events_sha256")}
    return {"schema": SCHEMA, "data": name, **head, "variants": rows}


def tracked(parts: Part) -> Iterator[Part]:
    """The variants, with a bar on the screen while they are replayed."""
    todo = list(variants(parts))
    yield from track(todo, "replaying", console=Console(stderr=True), transient=True)


def print_comparison(report: dict[str, Any]) -> None:
    """A table with what each part is worth: equity with it less equity without."""
    table = Table(title=f"{report['data']}: what each part is worth")
    for column in ("without", "fills", "orders", "equity", "worth", "adverse", "markout bps"):
        table.add_column(column, justify="left" if column == "without" else "right")
    whole = report["variants"][0]
    for row in report["variants"]:
        worth = "" if row is whole else f"{whole['equity'] - row['equity']:+.2f}"
        table.add_row(
            ", ".join(row["without"]) or "nothing", str(row["fills"]), str(row["orders"]),
            f"{row['equity']:+.2f}", worth, _number(row["adverse_share"], "{:.1%}"),
            _number(row["markout_bps"], "{:+.2f}"),
        )  # fmt: skip
    Console().print(table)


def _number(value: float | None, form: str) -> str:
    return "-" if value is None else form.format(value)
