"""Pure decisions. They import only each other."""
