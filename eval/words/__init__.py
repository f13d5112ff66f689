"""Word accuracy by the published protocols: table, JSON, HTML page."""
