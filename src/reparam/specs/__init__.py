"""ModelConfig as frozen dataclasses whose `repr` is the text that rebuilds them."""
