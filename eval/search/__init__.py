"""Train searched, published, hand-made and random backbones for the same budget and compare them."""
