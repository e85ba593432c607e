"""Reconciling: our record against Stripe, CJ and Basta, to the cent; what differs is named, and nothing is hidden."""

from tasks.reconciling.asking import Asked, ask
from tasks.reconciling.finding import Finding, Report, Tie
from tasks.reconciling.steps import compare, conclude

__all__ = ["Asked", "Finding", "Report", "Tie", "ask", "compare", "conclude"]
