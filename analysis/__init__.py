"""Why the numbers differ: runs of the original, comparison with what a device computed, the smallest faulty model."""
