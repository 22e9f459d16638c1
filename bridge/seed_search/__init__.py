"""Seed search: tries candidates for a part of the way, scores them, and hands on those that promise the asked counts.

Two scorers: ISAC Latent Selection reads the model's attention at each step and drops candidates on the way
(`latent_selection`); Count Search counts what each candidate is predicted to show (`count_search`).
"""
