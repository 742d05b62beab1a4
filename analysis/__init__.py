"""Why the numbers differ: runs of the original, comparison with what a device computed, and the smallest faulty model."""
