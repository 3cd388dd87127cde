"""Data sets as released: layouts, annotations, split lists, downloads, tracks."""
