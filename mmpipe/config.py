"""`pipeline.toml` as frozen structs, and each section as a settings record for kernels.

Every key is declared once, here, with its range; unit and reason stand beside its value in
`pipeline.toml`. An unknown, missing, non-finite, out-of-range or wrongly-united key is a
`ConfigError` that names the key, the value and what is allowed. Nothing has a default in code.
"""

import tomllib
from operator import attrgetter
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import msgspec
import numpy as np
from msgspec import Meta

from mmpipe.config_check import Section, check_table, numeric_fields
from mmpipe.errors import ConfigError

Positive = Annotated[float, Meta(gt=0.0, le=1e12)]
Share = Annotated[float, Meta(ge=0.0, le=1.0)]
Bps = Annotated[float, Meta(ge=0.0, le=10_000.0)]
Evidence = Annotated[float, Meta(ge=-5.0, le=5.0)]  # nats per unit of an input
Weight = Annotated[float, Meta(ge=0.0, le=2.0)]
Slots = Annotated[int, Meta(ge=64, le=1 << 20)]
Text = Annotated[str, Meta(min_length=1, max_length=200)]
INSTANCE_PATTERN = "^[a-z0-9_-]{1,24}$"


class InstanceConfig(Section, frozen=True):
    """`[instance]`: the name that segments, sockets and the lock carry."""

    name: Annotated[str, Meta(pattern=INSTANCE_PATTERN)]
    run_dir: Text


class SymbolConfig(Section, frozen=True):
    """`[[symbol]]`: one market."""

    coin: Annotated[str, Meta(pattern="^[A-Za-z0-9:]{1,16}$")]
    lead: Annotated[str, Meta(pattern="^[A-Z0-9]{2,20}$")]


class VenueConfig(Section, frozen=True):
    """`[venue]`: where orders go."""

    kind: Literal["embedded", "hyperliquid"]
    mode: Literal["paper", "live"]
    host: Text
    port: Annotated[int, Meta(ge=0, le=65_535)]
    url: Text
    execution_key_file: str
    risk_key_file: str
    account: str
    scenario: Text
    seed: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    profile: Text
    deposit_usdc: Positive


class LeadConfig(Section, frozen=True):
    """`[lead]`: the market that moves first."""

    kind: Literal["embedded", "binance"]
    market: Literal["usdm", "spot"]
    public_url: Text
    market_url: Text
    rest_url: Text


class FeedConfig(Section, frozen=True):
    """`[feed]`: sockets and what counts as stale."""

    timer_ms: Annotated[int, Meta(ge=10, le=1_000)]
    first_message_timeout_ms: Annotated[int, Meta(ge=100, le=60_000)]
    silence_quantile: Annotated[float, Meta(gt=0.5, lt=1.0)]
    silence_ratio: Annotated[float, Meta(ge=1.0, le=100.0)]
    silence_max_s: Annotated[float, Meta(ge=1.0, le=3_600.0)]
    stale_min_ms: Annotated[int, Meta(ge=10, le=60_000)]
    maker_stale_max_ms: Annotated[int, Meta(ge=50, le=60_000)]
    lead_stale_max_ms: Annotated[int, Meta(ge=50, le=60_000)]
    contradiction_ms: Annotated[int, Meta(ge=50, le=60_000)]
    crossed_patience_ms: Annotated[int, Meta(ge=0, le=60_000)]
    late_ms: Annotated[int, Meta(ge=10, le=60_000)]
    skew_max_ms: Annotated[int, Meta(ge=10, le=60_000)]
    venue_time_interval_s: Annotated[float, Meta(ge=1.0, le=3_600.0)]
    ping_interval_s: Annotated[float, Meta(ge=1.0, le=50.0)]
    reconnect_min_ms: Annotated[int, Meta(ge=10, le=60_000)]
    reconnect_max_ms: Annotated[int, Meta(ge=10, le=600_000)]
    connects_per_min_max: Annotated[int, Meta(ge=1, le=1_000)]
    connection_age_max_h: Annotated[float, Meta(gt=0.0, le=23.9)]
    message_size_max: Annotated[int, Meta(ge=1_024, le=16 << 20)]
    full_ring_wait_ms: Annotated[int, Meta(ge=0, le=1_000)]


class StagesConfig(Section, frozen=True):
    """`[stages]`: processes, cores, waiting."""

    idle: Literal["auto", "park", "yield", "spin"]
    pin: bool
    park_timeout_ms: Annotated[int, Meta(ge=1, le=1_000)]
    ready_timeout_s: Annotated[float, Meta(ge=1.0, le=600.0)]
    stop_timeout_s: Annotated[float, Meta(ge=0.5, le=60.0)]
    restarts_max: Annotated[int, Meta(ge=0, le=1_000)]
    restart_window_s: Annotated[float, Meta(ge=1.0, le=3_600.0)]


class RingsConfig(Section, frozen=True):
    """`[rings]`: slots of each ring, powers of two."""

    event_slots: Slots
    snapshot_slots: Slots
    forecast_slots: Slots
    report_slots: Slots
    params_slots: Slots
    label_slots: Slots
    fill_context_slots: Slots
    command_slots: Slots


class FeaturesConfig(Section, frozen=True):
    """`[features]`: windows of the rolling features."""

    sigma_halflife_s: Positive
    intensity_halflife_s: Positive
    basis_halflife_s: Positive
    regime_dwell_s: Positive
    regime_volatile_ratio: Annotated[float, Meta(gt=1.0, le=100.0)]
    regime_cascade_ratio: Annotated[float, Meta(gt=1.0, le=1_000.0)]
    regime_quiet_ratio: Annotated[float, Meta(gt=0.0, lt=1.0)]
    regime_scale: Annotated[float, Meta(gt=0.0, le=10.0)]
    regime_tail_degrees: Annotated[float, Meta(gt=0.0, le=1_000.0)]
    hawkes_base_per_s: Positive
    hawkes_self_share: Share
    hawkes_cross_share: Share
    hawkes_fast_share: Share
    hawkes_fast_halflife_s: Positive
    hawkes_slow_halflife_s: Positive
    vpin_bucket_s: Positive
    vpin_volume_halflife_s: Positive
    microprice_interval_s: Annotated[float, Meta(ge=1.0, le=86_400.0)]
    microprice_moves_min: Annotated[int, Meta(ge=1, le=1_000_000)]
    microprice_halflife_s: Positive
    label_horizon_ms: Annotated[int, Meta(ge=10, le=60_000)]
    shadow_horizon_ms: Annotated[int, Meta(ge=100, le=60_000)]
    shadow_interval_ms: Annotated[int, Meta(ge=100, le=60_000)]
    shadow_usdc: Positive


class ToxicityConfig(Section, frozen=True):
    """`[toxicity]`: the per-trade filter and its thresholds."""

    hazard_per_trade: Annotated[float, Meta(gt=0.0, lt=0.5)]
    decay_halflife_s: Positive
    llr_bias: Annotated[float, Meta(ge=-10.0, le=10.0)]
    llr_against: Annotated[float, Meta(ge=-10.0, le=0.0)]
    llr_log_size: Evidence
    llr_log_gap: Evidence
    llr_imbalance: Evidence
    llr_flow_fast: Evidence
    llr_flow_slow: Evidence
    llr_spread_change: Evidence
    llr_depth_change: Evidence
    llr_run_length: Evidence
    llr_swept: Evidence
    llr_divergence: Evidence
    toxic_enter_prob: Annotated[float, Meta(gt=0.5, lt=1.0)]
    toxic_leave_prob: Annotated[float, Meta(gt=0.0, lt=0.9)]
    normal_prob: Annotated[float, Meta(gt=0.0, lt=0.9)]
    dwell_ms: Annotated[int, Meta(ge=0, le=60_000)]
    dwell_max_ms: Annotated[int, Meta(ge=1_000, le=600_000)]


class LabelsConfig(Section, frozen=True):
    """`[labels]`: what counts as an outcome, in training and at run time alike."""

    adverse_ticks: Annotated[int, Meta(ge=1, le=1_000)]
    horizon_s: Annotated[float, Meta(ge=0.1, le=60.0)]
    toxic_horizon_ms: Annotated[int, Meta(ge=10, le=60_000)]


class ModelsConfig(Section, frozen=True):
    """`[models]`: artefacts of `mmpipe train` that decide in place of the built-in heuristics."""

    toxicity: str
    queue_value: str
    fill_survival: str
    microprice: str
    regime: str


class AlphaConfig(Section, frozen=True):
    """`[alpha]`: divergence to target."""

    horizon_ms: Annotated[int, Meta(ge=10, le=60_000)]
    target_max_share: Share
    target_per_bps_share: Share
    noise_floor_bps: Bps
    lead_age_max_ms: Annotated[int, Meta(ge=10, le=60_000)]
    cusum_arl: Annotated[float, Meta(ge=100.0, le=1e9)]
    beta_halflife_s: Positive
    level_run_s: Annotated[float, Meta(ge=30.0, le=1e6)]
    external_threshold: Annotated[float, Meta(ge=0.5, lt=1.0)]
    external_per_s_max: Annotated[float, Meta(gt=0.0, le=1_000.0)]


class ExecutionConfig(Section, frozen=True):
    """`[execution]`: quotes, exits, rate."""

    order_usdc: Positive
    max_inventory_usdc: Positive
    dust_share: Share
    gamma: Annotated[float, Meta(gt=0.0, le=100.0)]
    inventory_penalty_bps: Bps
    fill_prob_min: Share
    fill_horizon_s: Positive
    requote_min_ms: Annotated[int, Meta(ge=0, le=60_000)]
    maker_fee_bps: Annotated[float, Meta(ge=-10.0, le=100.0)]
    taker_fee_bps: Annotated[float, Meta(ge=-10.0, le=100.0)]
    forecast_age_max_ms: Annotated[int, Meta(ge=10, le=60_000)]
    expires_after_ms: Annotated[int, Meta(ge=500, le=60_000)]
    answer_timeout_ms: Annotated[int, Meta(ge=100, le=60_000)]
    exit_patience_ms: Annotated[int, Meta(ge=100, le=600_000)]
    exit_stop_sigma: Positive
    taker_gap_share: Share
    toxic_reduce_share: Share
    flat_target_share: Share
    flat_inventory_share: Share
    collar_bps: Annotated[float, Meta(gt=0.0, le=2_000.0)]
    gateway: Literal["ws", "rest"]


class RiskConfig(Section, frozen=True):
    """`[risk]`: limits at venue truth; they can only stop trading, never start it."""

    lease_ms: Annotated[int, Meta(ge=20, le=250)]
    heartbeat_timeout_ms: Annotated[int, Meta(ge=50, le=10_000)]
    order_usdc_max: Positive
    position_usdc_max: Positive
    gross_usdc_max: Positive
    passive_usdc_max: Positive
    open_orders_max: Annotated[int, Meta(ge=1, le=1_000)]
    requests_per_s_max: Annotated[float, Meta(gt=0.0, le=1_000.0)]
    cancel_reserve: Annotated[int, Meta(ge=0, le=10_000)]
    aggressive_interval_ms: Annotated[int, Meta(ge=0, le=600_000)]
    loss_usdc_max: Positive
    unknown_max: Annotated[int, Meta(ge=0, le=1_000)]
    mismatch_patience_ms: Annotated[int, Meta(ge=100, le=600_000)]
    reconcile_interval_s: Positive


class LearningConfig(Section, frozen=True):
    """`[learning]`: what the learner does with outcomes."""

    enabled: bool
    min_observations: Annotated[int, Meta(ge=1, le=1_000_000)]
    decay_halflife_min: Positive
    fill_halflife_s: Positive
    publish_interval_s: Positive
    commit_interval_s: Positive


class PriorsConfig(Section, frozen=True):
    """`[priors]`: value of each learned parameter before there is evidence."""

    lead_lag_beta: Annotated[float, Meta(ge=-2.0, le=2.0)]
    lead_lag_noise_bps: Positive
    adverse_selection_benign_bps: Bps
    adverse_selection_normal_bps: Bps
    adverse_selection_toxic_bps: Bps
    kappa_per_bps: Annotated[float, Meta(gt=0.0, le=100.0)]
    fill_prob_scale: Annotated[float, Meta(gt=0.0, le=10.0)]
    sigma_baseline_bps: Positive
    toxicity_slope: Annotated[float, Meta(ge=0.0, le=5.0)]
    toxicity_intercept: Annotated[float, Meta(ge=-10.0, le=10.0)]
    queue_value_bias_bps: Annotated[float, Meta(ge=-20.0, le=20.0)]
    signal_weight_lead_lag: Weight
    signal_weight_microprice: Weight
    signal_weight_order_flow: Weight
    signal_weight_cross_asset: Weight
    signal_weight_funding: Weight
    signal_weight_stat_arb: Weight
    signal_weight_external: Weight


class LogConfig(Section, frozen=True):
    """`[log]`: level and rate."""

    level: Literal["TRACE", "DEBUG", "INFO", "WARNING", "ERROR"]
    lines_per_s_max: Annotated[int, Meta(ge=1, le=10_000)]


class Config(Section, frozen=True):
    """The whole of `pipeline.toml`."""

    instance: InstanceConfig
    symbol: Annotated[tuple[SymbolConfig, ...], Meta(min_length=1, max_length=64)]
    venue: VenueConfig
    lead: LeadConfig
    feed: FeedConfig
    stages: StagesConfig
    rings: RingsConfig
    features: FeaturesConfig
    toxicity: ToxicityConfig
    labels: LabelsConfig
    models: ModelsConfig
    alpha: AlphaConfig
    execution: ExecutionConfig
    risk: RiskConfig
    learning: LearningConfig
    priors: PriorsConfig
    log: LogConfig


_AT_MOST = (
    ("execution.order_usdc", "risk.order_usdc_max"),
    ("execution.max_inventory_usdc", "risk.position_usdc_max"),
    ("toxicity.dwell_ms", "toxicity.dwell_max_ms"),
    ("feed.stale_min_ms", "feed.maker_stale_max_ms"),
    ("feed.stale_min_ms", "feed.lead_stale_max_ms"),
    ("feed.reconnect_min_ms", "feed.reconnect_max_ms"),
)
_BELOW = (
    ("toxicity.toxic_leave_prob", "toxicity.toxic_enter_prob"),
    ("features.hawkes_fast_halflife_s", "features.hawkes_slow_halflife_s"),
)


def load(path: Path, overrides: dict[str, Any] | None = None) -> Config:
    """Read and check `path`, then apply dotted `overrides` (`{"venue.seed": 3}`) and check again.

    Raises
    ------
    ConfigError
        The file is missing or not TOML, or a key is unknown, missing, of the wrong type, not
        finite or out of range; the message names file, key, value and what is allowed.
    """
    try:
        tree = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; name a readable file with --config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: not TOML: {error}") from error
    for dotted, value in (overrides or {}).items():
        *sections, key = dotted.split(".")
        table = tree
        for name in sections:
            table = table.setdefault(name, {})
        table[key] = value
    return check(tree, str(path))


def check(tree: dict[str, Any], source: str) -> Config:
    """Turn a parsed tree into `Config`, refusing by key; relations between keys are checked last."""
    check_table(tree, Config, source, "")
    config = msgspec.convert(tree, Config)
    _check_relations(config, source)
    return config


def settings_dtype(section: type[Section]) -> np.dtype:
    """Record dtype of a section's numeric keys: float to f8, int and bool to i8; text is left out."""
    return np.dtype(
        [(name, "f8" if kind is float else "i8") for name, kind in numeric_fields(section)], align=True
    )


def settings_row(section: Section) -> np.ndarray:
    """A section as a one-row settings array for kernels, shape (1,), dtype of `settings_dtype`."""
    row = np.zeros(1, settings_dtype(type(section)))
    for name in row.dtype.names or ():
        row[name] = getattr(section, name)
    return row


def _check_relations(config: Config, source: str) -> None:
    def refuse(text: str) -> NoReturn:
        raise ConfigError(f"{source}: {text}")

    for name in RingsConfig.__struct_fields__:
        slots = getattr(config.rings, name)
        if slots & (slots - 1):
            refuse(f"rings.{name} = {slots}: must be a power of two")
    coins = [symbol.coin for symbol in config.symbol]
    if len(set(coins)) != len(coins):
        refuse(f"symbol: coins {coins} must differ")
    for low, high in _AT_MOST:
        if not attrgetter(low)(config) <= attrgetter(high)(config):
            refuse(f"{low} = {attrgetter(low)(config)}: must be <= {high} = {attrgetter(high)(config)}")
    for low, high in _BELOW:
        if not attrgetter(low)(config) < attrgetter(high)(config):
            refuse(f"{low} = {attrgetter(low)(config)}: must be < {high} = {attrgetter(high)(config)}")
    features = config.features
    if not features.hawkes_self_share + features.hawkes_cross_share < 1.0:
        refuse(
            f"features.hawkes_self_share = {features.hawkes_self_share}: plus "
            f"features.hawkes_cross_share = {features.hawkes_cross_share} must be < 1, or trades explode"
        )
    if config.venue.kind == "embedded" and config.venue.mode == "live":
        refuse("venue.mode = 'live': the embedded venue trades paper only; set venue.kind = 'hyperliquid'")
