"""`mmpipe venue` and `mmpipe venue ctl` as a user types them."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mmpipe.venue.rest import fetch_info
from tests.mmpipe.venue.sim.running import wait_for

ROOT = Path(__file__).resolve().parents[2]
MINE = "0x" + "c" * 40


class Venue:
    """The command in a runtime folder of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.environment = os.environ | {"XDG_RUNTIME_DIR": str(folder)}
        self._out = (folder / f"venue-{time.monotonic_ns()}.txt").open("w+")
        command = [sys.executable, "-m", "mmpipe.cli", "venue", "--port", "0", "--account", MINE, *options]
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=self.environment, stdout=self._out, stderr=subprocess.STDOUT
        )

    @property
    def said(self) -> str:
        return Path(self._out.name).read_text()

    def url(self) -> str:
        found = wait_for(
            lambda: re.search(r"http://127\.0\.0\.1:\d+", self.said) or self.process.poll(), "a URL", 240.0
        )
        assert isinstance(found, re.Match), self.said
        return found.group()

    def ctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mmpipe.cli", "venue", "ctl", *words]
        return subprocess.run(
            command, cwd=ROOT, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )

    def close(self) -> None:
        self.process.kill()
        self.process.wait(30)
        self._out.close()


@pytest.fixture(scope="module")
def venue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Venue]:
    venue = Venue(tmp_path_factory.mktemp("venue"), "--scenario", "quiet", "--profile", "instant")
    try:
        venue.url()
        yield venue
    finally:
        venue.close()


def test_it_says_where_it_is_and_whose_money_there_is(venue: Venue) -> None:
    assert "scenario quiet, seed 7" in venue.said
    assert re.search(r"demo account 0x[0-9a-f]{40}, key 0x[0-9a-f]{64} \(public, worthless\)", venue.said)
    assert f"account {MINE}, 100000 USDC" in venue.said
    state = fetch_info(venue.url(), {"type": "clearinghouseState", "user": MINE}, 10.0)
    assert state["marginSummary"]["accountValue"] == "100000.0"


def test_faults_are_switched_while_it_runs(venue: Venue) -> None:
    answer = venue.ctl("fault", "silent", "channel=bbo", "for_s=60")
    assert answer.returncode == 0, answer.stderr
    status = json.loads(venue.ctl("status").stdout)
    assert [fault["fault"] for fault in status["faults"]] == ["silent"]
    assert json.loads(venue.ctl("clear", "silent").stdout) == {"ended": 1}
    ledger = json.loads(venue.ctl("ledger").stdout)["ledger"]
    assert [row.get("on") for row in ledger if row["fault"] == "silent"][-1] is False
    assert venue.ctl("deposit", MINE, "5.5").returncode == 0
    state = fetch_info(venue.url(), {"type": "clearinghouseState", "user": MINE}, 10.0)
    assert state["marginSummary"]["accountValue"] == "100005.5"
    assert venue.ctl("delist", "ETH").returncode == 0
    meta = fetch_info(venue.url(), {"type": "meta"}, 10.0)
    assert [coin.get("isDelisted") for coin in meta["universe"]] == [None, True]


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["fault", "silent"], "give channel"),
        (["explode"], "choose one of: post_only"),
        (["delist", "DOGE"], "choose one of: BTC, ETH"),
        (["fault", "silent", "bbo"], "write name=value"),
        (["deposit", "me", "5"], "give 0x and 40 digits"),
    ],
)
def test_a_wrong_word_is_one_clear_line(venue: Venue, words: list[str], match: str) -> None:
    answer = venue.ctl(*words)
    assert answer.returncode == 2
    assert match in " ".join(answer.stderr.split())


def test_ctrl_c_ends_it_and_nothing_stays(tmp_path: Path) -> None:
    venue = Venue(tmp_path, "--scenario", "still")
    try:
        venue.url()
        wait_for(lambda: list(tmp_path.rglob("venue.sock")), "its control socket")
        venue.process.send_signal(signal.SIGINT)
        assert venue.process.wait(30) == 0
        assert not list(tmp_path.rglob("venue.sock"))
        late = venue.ctl("status")
        assert late.returncode == 3
        assert "no embedded exchange runs" in " ".join(late.stderr.split())
    finally:
        venue.close()


def test_a_second_one_needs_a_name_of_its_own(venue: Venue) -> None:
    folder = Path(venue.environment["XDG_RUNTIME_DIR"])
    for options, code in (
        (("--scenario", "still"), 7),
        (("--scenario", "still", "--instance", "other"), None),
    ):
        second = Venue(folder, *options)
        try:
            if code is not None:
                assert second.process.wait(240) == code
                assert "runs already; stop it, or name this one" in " ".join(second.said.split())
            else:
                second.url()
                assert json.loads(second.ctl("status", "--instance", "other").stdout)["scenario"] == "still"
        finally:
            second.close()
    assert json.loads(venue.ctl("status").stdout)["scenario"] == "quiet"


def test_the_list_names_everything_there_is() -> None:
    command = [sys.executable, "-m", "mmpipe.cli", "venue", "--list"]
    shown = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True).stdout
    for name in ("flash-crash", "hyperliquid", "error_executed"):
        assert re.search(rf"^  {name} +\w", shown, re.MULTILINE)


@pytest.mark.parametrize(
    ("options", "code", "match"),
    [
        (["--profile", "warp"], 2, "choose one of: brisk, hyperliquid, instant"),
        (["--scenario", "warp"], 2, "choose one of: cascade"),
        (["--account", "me"], 2, "give 0x and 40 hexadecimal digits"),
    ],
)
def test_wrong_options_are_refused(tmp_path: Path, options: list[str], code: int, match: str) -> None:
    venue = Venue(tmp_path, *options)
    try:
        assert venue.process.wait(240) == code
        assert match in " ".join(venue.said.split())
    finally:
        venue.close()
