"""The table of commands; the only composition root. Each command is one file in `mmpipe.commands`.

Every refusal prints one line with the reason and exits with the code its error carries (`mmpipe.errors`).
Commands are imported when they are called, so that the processes of a line do not pay for their imports.
"""

from pathlib import Path
from typing import Annotated

from mmpipe import interrupts

if __name__ == "__main__":  # `python -m mmpipe.cli`: a signal during the imports below ends it quietly
    interrupts.leave_at_once()

import typer

from mmpipe.cli_options import (
    ConfigOption,
    InstanceOption,
    JsonFlag,
    LeadOption,
    ModelOption,
    OutOption,
    SourcesArgument,
    TrainOutOption,
    json_file,
)
from mmpipe.errors import UsageError
from mmpipe.program import end_well

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
risk_app = typer.Typer(no_args_is_help=True, help="Commands to the risk daemon.")
venue_app = typer.Typer(help="The embedded exchange.")
drill_app = typer.Typer(no_args_is_help=True, help="Let things go wrong on purpose, and see what is seen.")
config_app = typer.Typer(no_args_is_help=True, help="Look at and check the configuration.")
data_app = typer.Typer(no_args_is_help=True, help="Recorded market data.")
import_app = typer.Typer(no_args_is_help=True, help="Other people's recordings as folders of ours.")
models_app = typer.Typer(no_args_is_help=True, help="Trained models.")
app.add_typer(risk_app, name="risk")
app.add_typer(data_app, name="data")
app.add_typer(import_app, name="import")
app.add_typer(config_app, name="config")
app.add_typer(venue_app, name="venue")
app.add_typer(drill_app, name="drill")
app.add_typer(models_app, name="models")


@app.command()
def run(
    config: ConfigOption = Path("pipeline.toml"),
    instance: Annotated[str, typer.Option("--instance", help="name; empty: as configured")] = "",
    duration: Annotated[float, typer.Option("--duration", help="seconds to trade; 0: until Ctrl-C")] = 0.0,
    headless: Annotated[bool, typer.Option("--headless", help="no screen")] = False,
    scenario: Annotated[str, typer.Option("--scenario", help="market of the embedded venue")] = "",
    profile: Annotated[str, typer.Option("--profile", help="its cadences, delays and limits")] = "",
    seed: Annotated[int, typer.Option("--seed", help="seed of the embedded venue; -1: as configured")] = -1,
    port: Annotated[int, typer.Option("--port", help="port of the embedded venue; -1: as configured")] = -1,
    live: Annotated[
        bool, typer.Option("--live", help="second of the two acts that trade real money")
    ] = False,
    json: Annotated[Path | None, json_file("run/1")] = None,
    model: ModelOption = None,
) -> None:
    """Run the line: embedded exchange and paper by default; Ctrl-C cancels, verifies and reports."""
    from mmpipe.commands.run import RunOptions, run_line

    models = tuple(model or ())
    run_line(
        RunOptions(config, instance, duration, headless, scenario, profile, seed, port, live, json, models)
    )


@app.command()
def status(instance: InstanceOption = "default", json: JsonFlag = False) -> None:
    """Show a running pipeline: modes, positions, PnL, freshness, latencies, loops."""
    from mmpipe.commands.status import show_status

    show_status(instance, json)


@app.command()
def stop(instance: InstanceOption = "default") -> None:
    """Stop a running pipeline the orderly way: cancel, verify, report."""
    from mmpipe.commands.stop import stop_line

    stop_line(instance)


@app.command()
def kill(instance: InstanceOption = "default") -> None:
    """Latch KILL: no more orders, cancel everything on risk's own session; stays until reset."""
    from mmpipe.commands.kill import kill_line

    kill_line(instance)


@risk_app.command("reset")
def risk_reset(
    reason: Annotated[
        str, typer.Option("--reason", help="why it is safe to trade again; kept for the audit")
    ],
    config: ConfigOption = Path("pipeline.toml"),
    instance: Annotated[str, typer.Option("--instance", help="name; empty: as configured")] = "",
) -> None:
    """Remove the kill latch of a stopped pipeline."""
    from mmpipe.commands.risk_reset import reset_latch

    reset_latch(config, instance, reason)


@venue_app.callback(invoke_without_command=True)
def venue(
    context: typer.Context,
    config: ConfigOption = Path("pipeline.toml"),
    scenario: Annotated[str, typer.Option("--scenario", help="market")] = "",
    profile: Annotated[str, typer.Option("--profile", help="cadences, delays and limits")] = "",
    seed: Annotated[int, typer.Option("--seed", help="-1: as configured")] = -1,
    port: Annotated[int, typer.Option("--port", help="-1: as configured")] = -1,
    account: Annotated[list[str] | None, typer.Option("--account", help="an address to fund")] = None,
    instance: Annotated[str, typer.Option("--instance", help="name `venue ctl` finds it by")] = "venue",
    names: Annotated[bool, typer.Option("--list", help="name scenarios, profiles and faults")] = False,
) -> None:
    """Run the embedded exchange alone: Hyperliquid's wire format and a Binance lead on one port."""
    from mmpipe.commands.venue import VenueOptions, list_venue, run_venue

    if names:
        list_venue()
    elif context.invoked_subcommand is None:
        run_venue(VenueOptions(config, scenario, profile, seed, port, account or [], instance))


@venue_app.command("ctl")
def venue_ctl(
    words: Annotated[list[str], typer.Argument(help="what to do, then name=value pairs")],
    instance: Annotated[str, typer.Option("--instance", help="empty: the one that runs")] = "",
) -> None:
    """Switch faults of a running exchange: fault KIND, clear, post_only, delist, deposit, status, ledger."""
    from mmpipe.commands.venue import control_venue

    control_venue(instance, words)


@app.command()
def record(
    out: Annotated[Path | None, typer.Option("--out", help="folder to create; empty: recordings/…")] = None,
    config: ConfigOption = Path("pipeline.toml"),
    instance: Annotated[
        str, typer.Option("--instance", help="a running pipeline to listen to; else a feed of its own")
    ] = "record",
    duration: Annotated[float, typer.Option("--duration", help="seconds; 0: until Ctrl-C")] = 0.0,
    scenario: Annotated[str, typer.Option("--scenario", help="market of the embedded venue")] = "",
    seed: Annotated[int, typer.Option("--seed", help="-1: as configured")] = -1,
    part_minutes: Annotated[float, typer.Option("--part-minutes", help="what one file covers")] = 15.0,
    json: Annotated[Path | None, json_file("record/1")] = None,
) -> None:
    """Record market data, lossless or with counted gaps, into a folder that `replay` reads."""
    from mmpipe.commands.record import RecordOptions, record_market

    record_market(RecordOptions(out, config, instance, duration, scenario, seed, part_minutes, json))


@app.command()
def replay(
    data: Annotated[
        Path,
        typer.Argument(
            help="a folder `mmpipe import` or `mmpipe record` made, or a recorded market of any format"
        ),
    ],
    config: ConfigOption = Path("pipeline.toml"),
    json: JsonFlag = False,
    model: ModelOption = None,
    without: Annotated[
        str, typer.Option("--without", help="parts of the judgement to leave out, e.g. toxicity,lead_lag")
    ] = "",
    compare: Annotated[
        bool, typer.Option("--compare", help="the whole line beside the line without each part; a table")
    ] = False,
) -> None:
    """Run recorded data through the same stages in one process on a virtual clock."""
    from mmpipe.commands.replay import replay_file

    replay_file(data, config, json, model or (), without, compare)


@app.command()
def train(
    model: Annotated[
        str, typer.Argument(help="toxicity, queue-value, fill-survival, microprice, regime or all")
    ],
    data: Annotated[list[Path], typer.Argument(help="recordings, npz files, or folders of them")],
    out: TrainOutOption,
    config: ConfigOption = Path("pipeline.toml"),
    lead: Annotated[Path | None, typer.Option("--lead", help="the lead's recording, any format")] = None,
    seed: Annotated[int, typer.Option("--seed", min=0, help="of bags, starts and resampling")] = 1,
    unjudged: Annotated[
        bool, typer.Option("--unjudged", help="write what nothing was left to judge")
    ] = False,
    json: JsonFlag = False,
) -> None:
    """Train a model on the first part of recordings, judge it on the rest, write artefact and report."""
    from mmpipe.commands.train import TrainOptions, train_models

    train_models(TrainOptions(model, tuple(data), out, config, lead, seed, json, unjudged))


@models_app.command("list")
def models_list(
    folder: Annotated[Path, typer.Argument(help="where artefacts lie")] = Path("artifacts/models"),
    json: JsonFlag = False,
) -> None:
    """List the artefacts of a folder, sound or not."""
    from mmpipe.commands.models import list_models

    list_models(folder, json)


@models_app.command("show")
def models_show(
    path: Annotated[Path, typer.Argument(help="an artefact of `mmpipe train`")], json: JsonFlag = False
) -> None:
    """Check an artefact and print what it is and how it did against base rate and heuristic."""
    from mmpipe.commands.models import show_model

    show_model(path, json)


@app.command()
def evaluate(
    paths: Annotated[
        list[Path] | None, typer.Argument(help="recordings, npz files, or folders of them")
    ] = None,
    scenario: Annotated[
        list[str] | None, typer.Option("--scenario", help="a market of the embedded venue; may be repeated")
    ] = None,
    seeds: Annotated[int, typer.Option("--seeds", help="markets of each scenario")] = 20,
    seconds: Annotated[float, typer.Option("--seconds", help="length of each market")] = 65.0,
    profile: Annotated[str, typer.Option("--profile", help="delays of the simulated venue")] = "",
    config: ConfigOption = Path("pipeline.toml"),
    seed: Annotated[int, typer.Option("--seed", min=0, help="of bags and resampling, for recordings")] = 1,
    json: Annotated[
        Path | None,
        json_file("evaluate/1 or evaluate-scenarios/1"),
    ] = None,
) -> None:
    """Judge the models: on recordings they were not fitted to, or on simulated markets (--scenario)."""
    if bool(paths) == bool(scenario):
        raise UsageError("evaluate: name recordings, or markets of the embedded venue with --scenario")
    if scenario:
        from mmpipe.commands.evaluate_scenarios import evaluate_scenarios

        evaluate_scenarios(scenario, seeds, seconds, profile, config, json)
    else:
        from mmpipe.commands.evaluate import evaluate_paths

        evaluate_paths(paths or [], config, seed, json)


@drill_app.command("feed")
def drill_feed(
    config: ConfigOption = Path("pipeline.toml"),
    instance: Annotated[str, typer.Option("--instance", help="name of the pipeline")] = "drill",
    duration: Annotated[float, typer.Option("--duration", help="seconds of faults")] = 60.0,
    seed: Annotated[int, typer.Option("--seed", help="of the market and of the faults")] = 7,
    scenario: Annotated[str, typer.Option("--scenario", help="empty: as configured")] = "",
    json: Annotated[Path | None, json_file("drill/1")] = None,
) -> None:
    """Disturb the market data of an embedded line: every fault must be seen, no old or wrong book used."""
    from mmpipe.commands.drill import DrillOptions
    from mmpipe.commands.drill import drill_feed as run_drill

    run_drill(DrillOptions(config, instance, duration, seed, scenario, json))


@app.command()
def logs(
    instance: InstanceOption = "default",
    lines: Annotated[int, typer.Option("--lines", help="how many of the last ones")] = 50,
) -> None:
    """Print the last log lines of a running pipeline."""
    from mmpipe.commands.logs import show_logs

    show_logs(instance, lines)


@app.command()
def tap(
    ring: Annotated[str, typer.Argument(help="ring or cell, e.g. events, snapshots, reports, board, lease")],
    filter: Annotated[
        list[str] | None, typer.Option("--filter", help="FIELD=VALUE, e.g. symbol=BTC; may be repeated")
    ] = None,
    instance: InstanceOption = "default",
    json: JsonFlag = False,
    hz: Annotated[float, typer.Option("--hz", help="looks per second")] = 10.0,
    count: Annotated[int, typer.Option("--count", help="stop after so many; 0: go on")] = 0,
) -> None:
    """Print the records of a running pipeline as they come, without slowing it."""
    from mmpipe.commands.tap import TapOptions, tap_ring

    tap_ring(instance, TapOptions(ring, tuple(filter or ()), json, hz, count))


@data_app.command("check")
def data_check(
    paths: Annotated[
        list[Path], typer.Argument(help="recordings of any kind; several files of one market in order")
    ],
    against: Annotated[
        Path | None, typer.Option("--against", help="another market: who leads, and by how much")
    ] = None,
    json: Annotated[Path | None, json_file("data-check/1")] = None,
) -> None:
    """Check recorded data and describe it; 0 when it is sound, 1 otherwise."""
    from mmpipe.commands.data import check_data

    raise typer.Exit(check_data(paths, against, json))


@import_app.command("binance")
def import_binance(
    sources: SourcesArgument,
    out: OutOption,
    lead: LeadOption = None,
    config: ConfigOption = Path("pipeline.toml"),
) -> None:
    """Import raw frames `<ns> <json>` of one Binance market, or its normalised npz."""
    from mmpipe.commands.import_data import import_data

    import_data("binance", sources, lead or [], out, config)


@import_app.command("hyperliquid")
def import_hyperliquid(
    sources: SourcesArgument,
    out: OutOption,
    lead: LeadOption = None,
    config: ConfigOption = Path("pipeline.toml"),
) -> None:
    """Import raw frames, CSV sets or normalised npz of Hyperliquid."""
    from mmpipe.commands.import_data import import_data

    import_data("hyperliquid", sources, lead or [], out, config)


@import_app.command("tardis")
def import_tardis(
    sources: SourcesArgument,
    out: OutOption,
    lead: LeadOption = None,
    config: ConfigOption = Path("pipeline.toml"),
) -> None:
    """Import Tardis' CSV files of one market."""
    from mmpipe.commands.import_data import import_data

    import_data("tardis", sources, lead or [], out, config)


@import_app.command("hftbacktest")
def import_hftbacktest(
    sources: SourcesArgument,
    out: OutOption,
    lead: LeadOption = None,
    config: ConfigOption = Path("pipeline.toml"),
) -> None:
    """Import an event array of hftbacktest."""
    from mmpipe.commands.import_data import import_data

    import_data("hftbacktest", sources, lead or [], out, config)


@config_app.command("show")
def config_show(config: ConfigOption = Path("pipeline.toml")) -> None:
    """Print the configuration in force as JSON."""
    from mmpipe.commands.config import show_config

    show_config(config)


@config_app.command("check")
def config_check(config: ConfigOption = Path("pipeline.toml")) -> None:
    """Check the configuration and the models it names; silent and 0 when all is sound."""
    from mmpipe.commands.config import check_config

    check_config(config)


def main() -> None:
    """Run the command that was typed."""
    end_well(app)


if __name__ == "__main__":
    main()
