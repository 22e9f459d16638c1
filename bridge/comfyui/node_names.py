"""How nodes are called on the page, without the method in brackets: what messages call them."""

from __future__ import annotations

COUNT_CONTROL = "Count Control"
COUNT_GUIDE = "Count Guide"
NOISE_PICKER = "Noise Picker"
OBJECT_COUNTER = "Object Counter"
