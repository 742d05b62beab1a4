"""The viewer: a local server that shows a model in a browser, selects in it and exports cuts (docs/viewer.md)."""
