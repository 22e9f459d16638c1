"""How a sampling run is followed: the steered sampler, which call is a step's state, moves of the latent, whole images only."""
