// The other product of training: a^T . b, summed over many rows of both (pixels, tiles, steps): gradients at weights.
#pragma once
#include "gemm.h"

namespace crnn {

// sums (R x V vectors) += over k of a[k][row] * b[k][column]; rows of a and b lie `stride` apart.
template <int R, int V>
static __attribute__((noinline)) void outer_tile(int depth, const float* a, int64_t a_stride, const float* b,
                                                 int64_t b_stride, float* sums, int64_t stride, bool first) {
    Vec sum[R][V];
    for (int r = 0; r < R; r++)
        for (int v = 0; v < V; v++) sum[r][v] = first ? Vec{} : load(sums + r * stride + v * LANES);
    for (int k = 0; k < depth; k++, a += a_stride, b += b_stride) {
        Vec row[V];
        for (int v = 0; v < V; v++) row[v] = load(b + v * LANES);
#pragma GCC unroll 8
        for (int r = 0; r < R; r++) {
            const float x = a[r];
#pragma GCC unroll 8
            for (int v = 0; v < V; v++) sum[r][v] += row[v] * x;
        }
    }
    for (int r = 0; r < R; r++)
        for (int v = 0; v < V; v++) store(sums + r * stride + v * LANES, sum[r][v]);
}

using OuterTile = void (*)(int, const float*, int64_t, const float*, int64_t, float*, int64_t, bool);

template <int V>
static OuterTile outer_tile_of(int rows) {
    static const OuterTile table[TILE_ROWS] = {outer_tile<1, V>, outer_tile<2, V>, outer_tile<3, V>,
                                               outer_tile<4, V>, outer_tile<5, V>, outer_tile<6, V>};
    return table[rows - 1];
}

static inline OuterTile find_outer_tile(int rows, int vecs) {
    switch (vecs) {
        case 1: return outer_tile_of<1>(rows);
        case 2: return outer_tile_of<2>(rows);
#if defined(__AVX512F__)
        case 3: return outer_tile_of<3>(rows);
        case 4: return outer_tile_of<4>(rows);
#endif
    }
    return nullptr;
}

// sums (rows x vecs vectors) += over k of a[k][row] * b[k][column]; with `fresh` they start at zero.
static inline void outer_product(int depth, const float* a, int64_t a_stride, int rows, const float* b,
                                 int64_t b_stride, int vecs, float* sums, int64_t stride, bool fresh) {
    for (int r = 0; r < rows; r += TILE_ROWS)
        find_outer_tile(std::min(TILE_ROWS, rows - r), vecs)(depth, a + r, a_stride, b, b_stride, sums + r * stride,
                                                             stride, fresh);
}

}  // namespace crnn
