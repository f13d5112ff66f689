"""Search for a backbone: the space, and what is found in it (AutoSTR: Zhang et al., ECCV 2020)."""
