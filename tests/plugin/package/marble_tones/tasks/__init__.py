"""The folder of task folders that the entry point names."""
