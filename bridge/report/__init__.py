"""Count Report: what a method does on an artist's own model, from the same prompts and seeds without and with it."""
