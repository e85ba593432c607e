"""The flows: one story a file, in the order things happen."""
