"""Count Report: an artist's own proof on their model, from the same prompts and seeds without and with a method."""
