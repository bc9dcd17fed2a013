"""Where the maker market will be: divergence to target inventory."""
