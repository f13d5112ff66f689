"""Train the stage combinations for the same budget and compare them."""
