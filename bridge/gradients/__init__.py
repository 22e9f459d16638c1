"""A gradient with respect to the latent, through ComfyUI's own model: weights, memory, recomputation, and errors in words."""
