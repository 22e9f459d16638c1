"""Count Search: tries seeds for a part of the way and hands on the one whose predicted picture counts right."""
