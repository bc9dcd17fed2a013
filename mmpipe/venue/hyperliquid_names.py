"""Names on the wire of Hyperliquid, as the tape knows them."""

from typing import Final

from mmpipe.venue.json_tape import name_of

A: Final = name_of(b"A")
B: Final = name_of(b"B")
ACTIVEASSETCTX: Final = name_of(b"activeAssetCtx")
BBO: Final = name_of(b"bbo")
CHANNEL: Final = name_of(b"channel")
COIN: Final = name_of(b"coin")
CTX: Final = name_of(b"ctx")
DATA: Final = name_of(b"data")
ERROR: Final = name_of(b"error")
FAST: Final = name_of(b"fast")
FUNDING: Final = name_of(b"funding")
L2BOOK: Final = name_of(b"l2Book")
LEVELS: Final = name_of(b"levels")
METHOD: Final = name_of(b"method")
PONG: Final = name_of(b"pong")
PX: Final = name_of(b"px")
SIDE: Final = name_of(b"side")
SUBSCRIBE: Final = name_of(b"subscribe")
SUBSCRIPTION: Final = name_of(b"subscription")
SUBSCRIPTIONRESPONSE: Final = name_of(b"subscriptionResponse")
SZ: Final = name_of(b"sz")
TID: Final = name_of(b"tid")
TIME: Final = name_of(b"time")
TRADES: Final = name_of(b"trades")
TYPE: Final = name_of(b"type")
