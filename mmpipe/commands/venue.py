"""`mmpipe venue`: the embedded exchange alone, and `mmpipe venue ctl`: what a running one is made to do."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import uvloop

from mmpipe import config as configuration
from mmpipe import interrupts
from mmpipe.errors import MmpipeError, NotRunningError, PreflightError, UsageError
from mmpipe.venue.hyperliquid_signing import address_of
from mmpipe.venue.sim.faults import FAULTS
from mmpipe.venue.sim.profiles import load_profile, profile_names
from mmpipe.venue.sim.scenarios import load_scenario, scenario_names
from mmpipe.venue.sim.settings import VenueSettings, demo_keys
from mmpipe.venue.sim.wire import ADDRESS
from ringbuf.jit import warm
from stages.context import runtime_dir
from stages.control import ask
from stages.preflight import embedded_settings
from stages.venue import SOCKET, serve_with_control

ALONE = "venue"  # instance name of an exchange without a line


class VenueOptions(NamedTuple):
    """What the command line says; empty text and -1 mean: as configured."""

    config: Path
    scenario: str
    profile: str
    seed: int
    port: int
    accounts: list[str]
    instance: str


def run_venue(options: VenueOptions) -> None:
    """Serve the configured markets until Ctrl-C; prints the URL and the keys.

    Raises
    ------
    MmpipeError
        Wrong configuration, unknown scenario or profile, an account that is no address, or a port in use.
    """
    overrides: dict[str, object] = {"venue.kind": "embedded", "venue.mode": "paper"}
    for key, value in (
        ("scenario", options.scenario),
        ("profile", options.profile),
        ("seed", options.seed),
        ("port", options.port),
    ):
        if value not in ("", -1):
            overrides[f"venue.{key}"] = value
    settings, _, _ = embedded_settings(configuration.load(options.config, overrides), trades=True)
    assert settings is not None, "an embedded venue has settings"
    for address in options.accounts:
        if ADDRESS.fullmatch(address.lower()) is None:
            raise UsageError(f"--account {address}: give 0x and 40 hexadecimal digits")
    more = tuple(a.lower() for a in options.accounts if a.lower() not in settings.accounts)
    settings = settings.with_accounts(more)
    folder = runtime_dir(options.instance)
    if _answers(folder / SOCKET):
        raise PreflightError(
            f"an exchange named '{options.instance}' runs already; stop it, or name this one with --instance"
        )
    warm(freeze=True)
    interrupts.note_only()
    interrupts.check()
    uvloop.run(_serve(settings, folder))
    sys.stderr.write("the exchange has stopped\n")


def list_venue() -> None:
    """Print scenarios, profiles and faults, a line each."""
    for title, rows in (
        ("scenarios", [(name, load_scenario(name).about) for name in scenario_names()]),
        ("profiles", [(name, load_profile(name).about) for name in profile_names()]),
        ("faults", [(name, about) for name, (about, _) in FAULTS.items()]),
    ):
        print(title)
        for name, about in rows:
            print(f"  {name:<18} {about}")


def control_venue(instance: str, words: list[str]) -> None:
    """Send one request to a running exchange and print its answer as JSON.

    Parameters
    ----------
    instance : str
        Empty: the exchange that runs alone, or else that of the pipeline named default.
    words : list of str
        What to do, then `name=value` pairs; a first word without = is what the action is about.

    Raises
    ------
    NotRunningError
        No exchange runs.
    UsageError
        It refused; the message is its reason.
    """
    names = [instance] if instance else [ALONE, "default"]
    sockets = [runtime_dir(name) / SOCKET for name in names]
    running = [path for path in sockets if path.exists()]
    if not running:
        raise NotRunningError("no embedded exchange runs; start one with `mmpipe venue` or `mmpipe run`")
    answer = ask(running[0], request_of(words))
    if not answer.pop("ok", False):
        raise UsageError(str(answer.get("detail")))
    print(json.dumps(answer, indent=1))


def request_of(words: list[str]) -> dict[str, str]:
    """The request that command-line words mean.

    `fault silent channel=bbo for_s=5`, `delist ETH`, `deposit 0x… 1000`, `clear silent`, `status`.

    Raises
    ------
    UsageError
        Too many words without a name.
    """
    plain = [word for word in words if "=" not in word]
    named = dict(word.split("=", 1) for word in words if "=" in word)
    if plain and plain[0] == "fault":
        plain = plain[1:]
    if not plain:
        raise UsageError("say what to do: fault KIND, clear, post_only, delist, book_interval, deposit, "
                         "status or ledger")  # fmt: skip
    what, *about = plain
    keys = {"delist": ("coin",), "deposit": ("address", "usdc"), "clear": ("kind",)}.get(what, ())
    if len(about) > len(keys):
        raise UsageError(f"{what}: {about[-1]!r} has no name; write name=value")
    return {"do": what, **dict(zip(keys, about, strict=False)), **named}


def _answers(socket: Path) -> bool:
    try:
        return bool(ask(socket, {"do": "status"}).get("ok"))
    except MmpipeError:
        return False


async def _serve(settings: VenueSettings, folder: Path) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end() -> None:
        loop.call_soon_threadsafe(stop.set)

    interrupts.note_only(end)
    if interrupts.asked():
        stop.set()

    def announce(url: str) -> None:
        for line in announcement(settings, url):
            print(line, flush=True)

    await serve_with_control(settings, folder, announce, stop)


def announcement(settings: VenueSettings, url: str) -> list[str]:
    """What the command prints when the exchange answers."""
    keys = demo_keys()
    rows: list[Any] = [
        f"{url}   scenario {settings.scenario}, seed {settings.seed}; {settings.profile.about}",
        f"demo account {address_of(keys.master)}, key 0x{keys.master.hex()} (public, worthless)",
    ]
    rows += [f"account {a}, {settings.deposit_usdc:.0f} USDC" for a in settings.accounts[1:]]
    rows += [f"vault {vault}, led by {leader}" for vault, leader in settings.vaults.items()]
    return [
        *rows,
        "`mmpipe venue ctl status` looks at it, `mmpipe venue --list` names its scenarios and faults",
    ]
