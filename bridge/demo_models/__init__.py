"""The Emoji demo models, built from ComfyUI's own classes."""
