"""The Emoji world: scenes of real nouns drawn from freely licensed emoji art, and the training of its demo models.

See README.md in this folder for the order of commands, what is frozen, and where the weights stand.
"""
