"""One .safetensors file: weights and a readable header; nothing in it is ever executed."""
