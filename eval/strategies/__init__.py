"""PP-OCR's tables of strategies: what each is worth, every row a configuration."""
