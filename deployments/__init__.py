"""Everything about running the pipeline: commands, alerts, webhooks, the sandbox."""
