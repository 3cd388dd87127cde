"""One run: what is planned, encoded, trained, scored and recorded."""
