"""Training: epochs, steps, checkpoints, and a new prior for a fitted model."""
