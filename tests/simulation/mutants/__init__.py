"""Planted bugs: each breaks one promise of the product on purpose, and the harness must see it.

A promise that is kept proves something only where the harness would notice that it was broken.
"""
