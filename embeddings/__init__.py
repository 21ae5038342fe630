"""Text into terms and vectors, and their neighbours."""
