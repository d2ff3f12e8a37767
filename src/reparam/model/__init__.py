"""The model: p(x, z) and q(z|x), its latents, labels and priors."""
