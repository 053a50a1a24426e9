"""What a verdict rests on: bounds of several widths, the local tests, why nothing can be said, the words for it."""
