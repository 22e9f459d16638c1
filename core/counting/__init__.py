"""Counts of pictures, whatever counted them."""
