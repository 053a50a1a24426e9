"""In somebody's own tests and notebooks: one case or one answer judged, and the record of a test session."""
