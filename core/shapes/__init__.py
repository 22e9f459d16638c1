"""The picture side of the Shapes demo model, which the generator and the counter share."""
