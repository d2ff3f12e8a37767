"""The command line. Heavy imports wait until a verb needs them."""
