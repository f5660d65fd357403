"""Large text files: lines in blocks, numbers, archives, look-ups; for any source that has them."""
