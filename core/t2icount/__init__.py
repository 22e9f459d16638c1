"""T2ICount: counts what a text names in a picture, from the features of a text-to-image model.

Reference: Qian et al., "T2ICount: Enhancing Cross-modal Understanding for Zero-Shot Counting" (CVPR 2025,
arXiv 2502.20625). Written from a specification of the published behaviour; checkpoints of the authors load as they are.
The text-to-image model itself is handed in (`network.Backbone`): ComfyUI's classes, put together in bridge.
Differences: parts that a count does not need are neither loaded nor run, and attention maps are made only when asked for.
"""
