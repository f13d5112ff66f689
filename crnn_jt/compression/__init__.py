"""Models made smaller: products in 8 bits, learnt (PACT) or calibrated, and filters pruned (FPGM)."""
