"""The Shapes demo model, built from ComfyUI's own classes."""
