"""What a device layout means: reordering between it and the layouts of the original models, as views and one copy."""
