"""Forward passes: networks on plain tensors, of this package or of transformers."""
