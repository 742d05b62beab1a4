"""Dump files: what a device writes of every operator it ran, their names, and the trees they lie in."""
