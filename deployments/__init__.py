"""Everything about running the pipeline: commands, alerts, webhooks, the sandbox."""

import time

#: When this program began, by the steady clock: no line of ours runs before this one.
BEGAN = time.monotonic()
