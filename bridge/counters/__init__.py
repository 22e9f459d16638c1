"""What counters and detectors give: checked where it comes in, and against what was asked for (Count Check)."""
