"""Our automations on the Prefect server: alerts, generated from the one table of them, and those that act.

Applied by name: twice leaves the same set; what is not declared any more disappears.
"""

from deployments.automations.applying import Applied, apply

__all__ = ["Applied", "apply"]
