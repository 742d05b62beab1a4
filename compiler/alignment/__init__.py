"""Which operator of the offline model holds which tensor of the original, and which dump file has its numbers."""
