"""Encoding by threads, processes, GPUs or a Ray cluster; one process writes."""
