"""T2ICount inside ComfyUI: its files, its memory, its nodes' work."""
