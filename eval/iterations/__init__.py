"""What language adds to vision, iteration by iteration."""
