"""Counts against what was asked for: Count Check."""
