"""ISAC Attention Control, which steers. The objectives are in `core.isac`, Latent Selection is in `seed_search`."""
