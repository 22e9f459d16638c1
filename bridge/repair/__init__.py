"""What mends images that show a wrong number: Count Repair, and Generate Until Right, which samples, checks and repairs."""
