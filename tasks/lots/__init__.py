"""Our own record of every lot, and of everything done for it."""
