"""From judgement to orders: state machine, quoting, order book of our own."""
