"""Every code that travels in a record, as integers with one meaning each.

Codes are append-only: a number that was written to a journal keeps its meaning for ever.
Kernels bind the member they need to a module constant (`BUY = int(Side.BUY)`).
"""

from enum import IntEnum, IntFlag


class Side(IntEnum):
    """Bid, buyer and long are +1; ask, seller and short are -1; 0 where a side has no meaning."""

    NONE = 0
    BUY = 1
    SELL = -1


class EventKind(IntEnum):
    """What an EVENT says."""

    TRADE = 1  # px, qty, side of the aggressor; remote_seq is the venue's trade id
    BOOK_DELTA = 2  # qty is absolute after the change; 0 deletes the level
    BOOK_CLEAR = 3  # the book of this venue and symbol is void; levels follow
    BBO = 4  # best price and quantity of one side; qty 0: that side is empty
    FUNDING = 5  # rate_8h travels in px, next settlement (wall ns) in remote_seq
    TIMER = 6  # every 100 ms, no symbol; drives everything that happens by time
    GAP = 7  # messages were lost on this stream; the book is void until BOOK_CLEAR
    STATUS = 8  # `level` carries a FeedState of venue and symbol


class EventFlag(IntFlag):
    """Bits of EVENT.flags."""

    LAST = 1  # last event of one venue message: the book is consistent from here
    HISTORY = 2  # replayed by the venue at subscription; never counts as flow
    FAST = 4  # from a stream that shows fewer levels; deeper levels keep their age


class Venue(IntEnum):
    """Which market an event or an order belongs to."""

    MAKER = 0
    LEAD = 1


class FeedState(IntEnum):
    """What is known about one stream; a feed that was never live is not a stale one."""

    NEVER = 0
    SYNCING = 1
    LIVE = 2
    STALE = 3
    GAPPED = 4


class StreamKind(IntEnum):
    """What one subscription of a market delivers; index of a market's stream states."""

    BBO = 0  # best quotes, on change
    TRADES = 1
    BOOK_FAST = 2  # few levels, often
    BOOK_FULL = 3  # all levels, seldom
    CONTEXT = 4  # funding and marks
    DEPTH = 5  # numbered differences of the whole book


class Trigger(IntEnum):
    """Why a SNAPSHOT was made."""

    TIMER = 1
    BBO = 2
    TRADE = 3


class Regime(IntEnum):
    """Volatility regime of the market."""

    QUIET = 0
    NORMAL = 1
    VOLATILE = 2
    CASCADE = 3


class Toxicity(IntEnum):
    """How poisoned the flow is that would fill us."""

    BENIGN = 0
    NORMAL = 1
    TOXIC = 2


class Mode(IntEnum):
    """What execution does with one symbol."""

    FLAT = 0
    MAKER = 1
    TAKER_ENTRY = 2
    TAKER_EXIT = 3
    INVENTORY_REDUCE = 4


class Tif(IntEnum):
    """Time in force on the wire of the maker venue."""

    ALO = 0  # post only
    GTC = 1
    IOC = 2


class OrderStatus(IntEnum):
    """Life of one of our orders; UNKNOWN keeps counting as exposure until it is resolved."""

    FREE = 0  # the slot holds no order
    INTENT = 1  # journalled, not yet sent or not yet answered
    RESTING = 2
    CANCELLING = 3  # cancel journalled; still exposure
    UNKNOWN = 4  # outcome not known; resolved by query only
    FILLED = 5
    CANCELLED = 6  # the venue says so; late fills still add up
    REJECTED = 7


class IntentKind(IntEnum):
    """What an INTENT asks the gateway to do."""

    PLACE = 1
    CANCEL = 2


class AnswerKind(IntEnum):
    """What the venue's side of an order port says."""

    RESTING = 1  # accepted and on the book
    FILLED = 2  # accepted and filled at once; its FILLs follow or came before
    REJECTED = 3  # definitely never rested
    CANCELLED = 4  # off the book; fills may still follow
    CANCEL_REFUSED = 5  # "never placed, already canceled, or filled": not proof of which
    NO_ANSWER = 6  # timeout, broken socket, unreadable or error answer: outcome unknown
    FILL = 7
    OPEN_ORDER = 8  # the venue lists this order as open (reconciliation)
    POSITION = 9  # the venue's position of a symbol (reconciliation)
    SYNCED = 10  # all OPEN_ORDER, FILL and POSITION of one reconciliation were delivered
    NOT_FOUND = 11  # a query found no such order: the venue never had it
    DISCONNECTED = 12  # the session is down; SYNCED will follow a new one


class ReportKind(IntEnum):
    """What a REPORT says."""

    INTENT = 1
    ACK = 2
    REJECT = 3
    UNKNOWN = 4
    FILL = 5
    CANCEL_INTENT = 6
    CANCELLED = 7
    MODE = 8
    POSITION = 9


class Reason(IntEnum):
    """Why something is not quoted, was refused, or changed. Shown by name on every screen."""

    NONE = 0
    QUOTING = 1
    # market data
    NO_BOOK = 10
    MAKER_FEED_NOT_LIVE = 11
    BOOK_CROSSED = 12
    FORECAST_OLD = 13
    LEAD_FEED_NOT_LIVE = 14
    # judgement
    TOXIC = 20
    QUEUE_VALUE_NOT_POSITIVE = 21
    FILL_PROB_LOW = 22
    INVENTORY_AT_LIMIT = 23
    TARGET_GAP = 24
    EDGE_POSITIVE = 25
    EXIT_PATIENCE = 26
    EXIT_STOP = 27
    FLAT_NO_EDGE = 28
    SIZE_BELOW_MINIMUM = 29
    INVENTORY_OVER_LIMIT = 30
    PNL_AFTER_PENALTY = 31
    MODE_FORBIDS = 32
    REGIME_CASCADE = 33
    # risk
    KILLED = 40
    NO_LEASE = 41
    PAUSED_BY_RISK = 42
    LIMIT_ORDER_SIZE = 43
    LIMIT_POSITION = 44
    LIMIT_NOTIONAL = 45
    LIMIT_COLLAR = 46
    LIMIT_PASSIVE_VOLUME = 47
    LIMIT_OPEN_ORDERS = 48
    LIMIT_RATE = 49
    LIMIT_LOSS = 50
    LIMIT_TICK_LOT = 51
    LIMIT_AGGRESSIVE_INTERVAL = 52
    NOT_RECONCILED = 53
    HEARTBEAT_LOST = 54
    POSITION_MISMATCH = 55
    OPERATOR = 56
    REPORT_RING_FULL = 57
    JOURNAL_FAILED = 58
    STOPPING = 59
    SELF_CROSS = 60
    UNKNOWN_ORDERS = 61
    VENUE_SESSION_LOST = 62
    # venue answers
    VENUE_WOULD_CROSS = 70
    VENUE_REJECT = 71
    VENUE_NO_ANSWER = 72
    VENUE_GONE = 73


class CommandKind(IntEnum):
    """What risk tells execution, and features tells feed."""

    PAUSE = 1  # cancel everything that increases exposure and place nothing
    RESUME = 2
    REDUCE = 3  # reducing orders only
    RESYNC = 4  # to feed: the book of venue and symbol cannot be, begin it anew


class Param(IntEnum):
    """Learned or configured numbers that may change at run time, one PARAMS record each."""

    LEAD_LAG_BETA = 0  # bps of maker move per bp of divergence
    LEAD_LAG_NOISE_BPS = 1  # standard deviation of what beta leaves unexplained
    ADVERSE_SELECTION_BENIGN_BPS = 2
    ADVERSE_SELECTION_NORMAL_BPS = 3
    ADVERSE_SELECTION_TOXIC_BPS = 4
    KAPPA_PER_BPS = 5  # decay of the fill intensity with distance
    FILL_PROB_SCALE = 6  # calibration of the fill probability
    SIGMA_BASELINE_BPS = 7  # one-minute volatility that counts as normal
    TOXICITY_SLOPE = 8  # calibration of P(toxic) on the logit
    TOXICITY_INTERCEPT = 9
    QUEUE_VALUE_BIAS_BPS = 10  # what the queue value model is off by, added to it
    SIGNAL_WEIGHT_LEAD_LAG = 11  # weight of each Signal in alpha; 0: gated
    SIGNAL_WEIGHT_MICROPRICE = 12
    SIGNAL_WEIGHT_ORDER_FLOW = 13
    SIGNAL_WEIGHT_CROSS_ASSET = 14
    SIGNAL_WEIGHT_FUNDING = 15
    SIGNAL_WEIGHT_STAT_ARB = 16
    SIGNAL_WEIGHT_EXTERNAL = 17


class LabelKind(IntEnum):
    """What a LABEL resolves."""

    MID_MOVE = 1  # mid move over the prediction horizon after a SNAPSHOT
    SHADOW_QUOTE = 2  # outcome of a virtual join
    FILL_MARKOUT = 3  # mid move after one of our fills
    SHADOW_MARKOUTS = 4  # mid moves at all MARKOUT_HORIZONS_S after the fill of a virtual join
    FILL_MARKOUTS = 5  # … after one of our fills
    TRADE = 6  # was a trade of the market informed


class Outcome(IntEnum):
    """How a virtual quote ended."""

    WAITING = 0
    FILLED = 1
    ADVERSE = 2  # the touch moved away from it: nobody would have left it there
    HORIZON = 3  # neither within the horizon
    CANCELLED = 4  # the book became void: censored


class ModelKind(IntEnum):
    """What a trained artefact replaces; index of MODEL_BOARD.artefact_ids."""

    TOXICITY = 0
    QUEUE_VALUE = 1
    FILL_SURVIVAL = 2
    MICROPRICE = 3
    REGIME = 4


class Signal(IntEnum):
    """What says something about the next move of the maker's mid; index of signal arrays."""

    LEAD_LAG = 0  # the lead moved and the maker has not
    MICROPRICE = 1
    ORDER_FLOW = 2
    CROSS_ASSET = 3  # the first symbol's lead, for the others
    FUNDING = 4  # funding beyond its slow level
    STAT_ARB = 5  # the spread between the venues returns to its mean
    EXTERNAL = 6  # a user's own models


class StageId(IntEnum):
    """Index of a process in the heartbeat table."""

    FEED = 0
    FEATURES = 1
    ALPHA = 2
    EXECUTION = 3
    RISK = 4
    LEARNER = 5
    SUPERVISOR = 6
    VENUE = 7


class Counter(IntEnum):
    """Index into HEARTBEAT.counters; one table for all stages, so that screens need no other."""

    EVENTS = 0
    SNAPSHOTS = 1
    FORECASTS = 2
    ORDERS = 3
    CANCELS = 4
    FILLS = 5
    LABELS = 6
    PARAMS_PUBLISHED = 7
    PARAMS_APPLIED = 8
    RING_DROPS = 9
    GAPS = 10
    REJECTS = 11
    UNKNOWN_OUTCOMES = 12
    MALFORMED = 13
    OVERSIZED = 14
    BAD_NUMBER = 15
    OUT_OF_ORDER = 16
    DUPLICATES = 17
    CROSSED_BOOKS = 18
    RECONNECTS = 19
    LOGS_DROPPED = 20
    PREDICTIONS = 21
    SCORED = 22
    SKIPPED_STALE = 23
    REFUSED_BY_LIMIT = 24
    REPORTS = 25
    SHADOW_QUOTES = 26
    JOURNAL_RECORDS = 27
    OPEN_ORDERS = 28
    ALIEN_FILLS = 29
    COMMANDS = 30
    RECONCILIATIONS = 31
    MISSED = 32  # messages a stream's own numbers or cadence prove lost
    LATE = 33  # times a venue's messages began to be late
    STALE = 34  # times a market went stale
    ASKED = 35  # streams subscribed anew
    RESYNCS = 36  # books that could not be, voided
    REPLAYED = 37  # trades a new subscription repeated
    WINDOW_OVERFLOWS = 38  # events that left a sliding window early, for want of room


class Part(IntFlag):
    """A part of the judgement that replay can be run without, so that its worth is a number."""

    TOXICITY = 1  # flow is Benign, informed with probability 0
    QUEUE_VALUE = 2  # a fill is worth its distance from the mid less the fee
    FILL_SURVIVAL = 4  # every order fills with one probability
    REGIME = 8  # volatility is always normal
    LEAD_LAG = 16  # the signals of alpha: their weight is 0
    MICROPRICE = 32
    ORDER_FLOW = 64
    CROSS_ASSET = 128
    FUNDING = 256
    STAT_ARB = 512


class SignalRefusal(IntEnum):
    """Why something said on the socket of external signals is none."""

    TOO_LONG = 0  # more bytes than a line may have
    MALFORMED = 1  # not JSON in UTF-8
    BAD_FIELD = 2  # no object, or a key missing, unknown, of another type, or out of range
    UNKNOWN_SYMBOL = 3
    TOO_MANY_MODELS = 4
    TOO_OFTEN = 5  # one model, more than it may send
    NOT_TAKEN = 6  # alpha does not empty the inbox
    TOO_MANY_CONNECTIONS = 7  # all in use: the new one was turned away
    GAVE_WAY = 8  # an idle connection, closed for a new one
