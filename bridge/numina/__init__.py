"""NUMINA Count Guide inside ComfyUI: reads a layout in an early step, and samples again with attention biased to it."""
