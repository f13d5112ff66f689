"""Images a second, inference and training, against other engines."""
