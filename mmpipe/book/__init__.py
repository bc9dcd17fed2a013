"""The order book of one symbol, rebuilt from EVENTs."""
