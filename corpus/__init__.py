"""Documents as addressable text: reading, outline, chunks, the store."""
