"""subcut: cut a piece out of a trained model, in its own format, and prove it right."""

__version__ = "0.1.0"
