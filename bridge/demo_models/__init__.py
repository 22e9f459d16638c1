"""The demo models, Shapes and Emoji, built from ComfyUI's own classes."""
