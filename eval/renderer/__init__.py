"""What each effect of the word renderer is worth."""
