"""ISAC: Attention Control, which steers, and Latent Selection, which chooses. The objectives are in `core.isac`."""
