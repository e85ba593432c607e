"""The work: one stage a file, and the plain core below them."""
