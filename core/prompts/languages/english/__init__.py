"""English, the language that most is written in: its words as data, and a reader with rules of its own."""
