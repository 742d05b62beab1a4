"""A device that is none: fuses, rounds and stores as an Ascend does, and writes the offline model and its dumps."""
