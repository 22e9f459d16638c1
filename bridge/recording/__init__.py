"""Attention maps of a run: the recorder, the model whose runs are watched, and the handle that they fill."""
