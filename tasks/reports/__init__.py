"""Polars frames in; frames, charts and files out."""
