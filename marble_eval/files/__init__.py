"""Files of the package: written whole, told apart by fingerprint, kept in the data home."""
