"""Which diffusion models the attention nodes read, and how: one small module per architecture, one table."""
