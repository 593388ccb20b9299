"""People watch: call records, live charts, the overview."""
