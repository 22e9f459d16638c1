"""The one seam at which the pack sees the attention of a model's calls, and what it does there first.

`hook.hooked_options` gives model options under which every attention call of a model goes through an `AttentionHook`: the
recorder's (`capture`), that of ISAC's gradient (`gradients`), and NUMINA's reading and biasing (`numina`).
"""
