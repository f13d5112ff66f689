"""CPU kernels as Jittor operators: they know layers, not stages. Compiled with g++ when first used, then cached."""
