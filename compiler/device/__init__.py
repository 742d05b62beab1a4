"""What an Ascend device stores: its numberings, its layouts, its dump files. Knows no model."""
