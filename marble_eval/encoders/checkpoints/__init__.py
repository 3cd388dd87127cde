"""Files of weights: where they are, read as tensors, running nothing that they ask for."""
