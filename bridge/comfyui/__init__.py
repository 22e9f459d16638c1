"""Where ComfyUI itself is met: versions, progress, what nodes say in the page, previews, another copy of the pack."""
