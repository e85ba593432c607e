"""The product's own stages, clients and database against the sandbox, in one process, with time held in the hand."""
