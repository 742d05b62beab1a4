"""Ascend: the offline model `.om`, the JSON and text forms of it, as dialect `ge`."""
