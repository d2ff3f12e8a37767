"""Variational autoencoders: any of the literature as one line, every number in nats and right."""
