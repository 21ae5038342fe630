"""Questions, metrics, runs and reports."""
