"""The demo: the whole path on one machine, in two minutes, with no keys and no network."""

from deployments.demo.play import play

__all__ = ["play"]
