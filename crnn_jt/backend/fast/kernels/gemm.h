// The product that everything is made of: rows of activations times packed weights, with what follows it fused.
//
// Weights are packed into panels of PANEL columns (the last one may be narrower, in whole vectors), each panel
// [depth][columns], so that the inner loop reads them in one stream. A tile keeps TILE_ROWS x PANEL sums in registers.
// Each sum runs over the depth in the same order whatever the number of rows: an output does not depend on its
// neighbours, and an image gives the same bits alone and in a batch.
#pragma once
#include <algorithm>

#include "buffer.h"
#include "simd.h"

namespace crnn {

// Where a tile's rows come from: `runs` stretches of `depth` consecutive floats, run u at row + offset[u].
// A plain product has one run; a convolution has one for each row of its kernel (see conv.h).
struct Source {
    const float* rows;
    int64_t row_stride;
    int depth;
    int runs = 1;
    int64_t run_stride = 0;
    const float* ahead = nullptr;  // what to fetch from memory meanwhile; null: the weights that follow these
};

// Where the sums go, and what is done to them on the way: bias, addend (laid out as the output), activation.
struct Target {
    float* rows;
    int64_t row_stride;
    const float* bias = nullptr;
    const float* addend = nullptr;
    Act act = Act::none;
    bool more = false;  // the sums go on from what is there
};

alignas(64) static const float NOTHING[PANEL] = {};

// The activations that leave a tile no registers, on what it has just written.
static __attribute__((noinline)) void activate_rows(const Target& out, int rows, int vecs) {
    for (int r = 0; r < rows; r++)
        for (int v = 0; v < vecs; v++) {
            float* at = out.rows + r * out.row_stride + v * LANES;
            store(at, activate_curved(load(at), out.act));
        }
}

template <int R, int V>
static __attribute__((noinline)) void tile(const Source& in, const float* weights, const Target& out) {
    // One way to begin for all, so that the sums are in registers from the start.
    const float* begin = out.more ? out.rows : out.bias ? out.bias : NOTHING;
    const int64_t next = out.more ? out.row_stride : 0;
    Vec sum[R][V];
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 8
        for (int v = 0; v < V; v++) sum[r][v] = load(begin + r * next + v * LANES);
    const int64_t stride = in.row_stride;
    const float* ahead = in.ahead;
    const int depth = in.depth;
    for (int u = 0; u < in.runs; u++) {
        const float* a = in.rows + u * in.run_stride;
        for (int k = 0; k < depth; k++, weights += V * LANES) {
            if (k % LINE == 0)
                for (int r = 0; r < R; r++) __builtin_prefetch(a + (R + r) * stride + k);  // the next tile's rows
            __builtin_prefetch(ahead + k * LANES);
            Vec w[V];
            for (int v = 0; v < V; v++) w[v] = *(const Vec*)(weights + v * LANES);
#pragma GCC unroll 8
            for (int r = 0; r < R; r++) {
                const float x = a[r * stride + k];
#pragma GCC unroll 8
                for (int v = 0; v < V; v++) sum[r][v] += w[v] * x;
            }
        }
    }
    if (!out.addend && out.act == Act::none) {  // nothing more to do: short products spend much of their time here
#pragma GCC unroll 8
        for (int r = 0; r < R; r++)
#pragma GCC unroll 8
            for (int v = 0; v < V; v++) store(out.rows + r * out.row_stride + v * LANES, sum[r][v]);
        return;
    }
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 8
        for (int v = 0; v < V; v++) {
            Vec value = sum[r][v];
            const int64_t at = r * out.row_stride + v * LANES;
            if (out.addend) value += load(out.addend + at);
            store(out.rows + at, clips(out.act) ? clip(value, out.act) : value);
        }
    if (out.act != Act::none && !clips(out.act)) activate_rows(out, R, V);
}

using Tile = void (*)(const Source&, const float*, const Target&);

template <int V>
static Tile tile_of(int rows) {
    static const Tile table[TILE_ROWS] = {tile<1, V>, tile<2, V>, tile<3, V>, tile<4, V>, tile<5, V>, tile<6, V>};
    return table[rows - 1];
}

static inline Tile find_tile(int rows, int vecs) {
    switch (vecs) {
        case 1: return tile_of<1>(rows);
        case 2: return tile_of<2>(rows);
#if defined(__AVX512F__)
        case 3: return tile_of<3>(rows);
        case 4: return tile_of<4>(rows);
#endif
    }
    return nullptr;
}

// `count` rows times one panel of `vecs` vectors, in tiles of nearly equal height.
static inline void panel_product(int count, Source in, const float* weights, int vecs, Target out) {
    const int tiles = (count + TILE_ROWS - 1) / TILE_ROWS;
    const int64_t fetched = int64_t(in.depth) * LANES;  // by each tile
    const float* ahead = in.ahead ? in.ahead : weights + in.runs * vecs * fetched;
    for (int i = 0, row = 0; i < tiles; i++) {
        const int next = int(int64_t(count) * (i + 1) / tiles), height = next - row;
        in.ahead = i < vecs ? ahead + i * fetched : weights;
        find_tile(height, vecs)(in, weights, out);
        in.rows += height * in.row_stride;
        out.rows += height * out.row_stride;
        if (out.addend) out.addend += height * out.row_stride;
        row = next;
    }
}

// The panels that `columns` outputs fall into.
struct Panels {
    int vecs;   // vectors in all
    int count;  // panels
    explicit Panels(int columns = 0) : vecs(padded(columns) / LANES), count((vecs + PANEL_VECS - 1) / PANEL_VECS) {}
    int vecs_of(int panel) const { return std::min(PANEL_VECS, vecs - panel * PANEL_VECS); }
    int columns() const { return vecs * LANES; }
};

// Packs one panel: weight(o, k) for the panel's columns and every k, columns past `columns` zero.
template <class Weight>
static void pack_panel(const Panels& panels, int panel, int columns, int depth, const Weight& weight, float* to) {
    const int width = panels.vecs_of(panel) * LANES;
    for (int k = 0; k < depth; k++)
        for (int j = 0; j < width; j++) {
            const int o = panel * PANEL + j;
            *to++ = o < columns ? weight(o, k) : 0.f;
        }
}

// A whole weight matrix, packed, with its bias padded to whole vectors.
class Packed {
  public:
    template <class Weight>
    void pack(int columns, int depth, const Weight& weight, const float* bias) {
        columns_ = columns;
        depth_ = depth;
        panels_ = Panels(columns);
        float* to = weights_.need(size_t(panels_.columns()) * depth);
#pragma omp parallel for schedule(static)
        for (int p = 0; p < panels_.count; p++)
            pack_panel(panels_, p, columns, depth, weight, to + size_t(p) * PANEL * depth);
        float* b = bias_.need(panels_.columns());
        std::fill(b, b + panels_.columns(), 0.f);
        if (bias) std::copy(bias, bias + columns, b);
    }
    bool empty() const { return depth_ == 0; }
    const Panels& panels() const { return panels_; }
    const float* panel(int p) const { return weights_.get() + size_t(p) * PANEL * depth_; }
    const float* bias(int p) const { return bias_.get() + p * PANEL; }
    int columns() const { return columns_; }
    int depth() const { return depth_; }

  private:
    int columns_ = 0, depth_ = 0;
    Panels panels_;
    Buffer weights_, bias_;
};

// y (rows, y_stride) = x (rows, depth) . weights + bias; exactly `columns` floats of each row of y are written
// where `columns` is no multiple of LANES, else whole vectors.
static inline void linear(const Packed& weights, const float* x, int64_t x_stride, int rows, float* y,
                          int64_t y_stride) {
    const int block = std::max(TILE_ROWS, std::min(rows, 192)), blocks = (rows + block - 1) / block;
    const Panels& panels = weights.panels();
#pragma omp parallel for collapse(2) schedule(static)
    for (int p = 0; p < panels.count; p++)
        for (int b = 0; b < blocks; b++) {
            const int first = b * block, count = std::min(block, rows - first), vecs = panels.vecs_of(p);
            const Source in{x + first * x_stride, x_stride, weights.depth()};
            float* to = y + first * y_stride + p * PANEL;
            const int width = std::min(vecs * LANES, weights.columns() - p * PANEL);
            if (width == vecs * LANES) {
                panel_product(count, in, weights.panel(p), vecs, {to, y_stride, weights.bias(p)});
                continue;
            }
            alignas(64) float part[TILE_ROWS * PANEL];  // the last vector would run into the next row
            for (int r = 0; r < count; r += TILE_ROWS) {
                const int height = std::min(TILE_ROWS, count - r);
                Source some = in;
                some.rows += r * x_stride;
                panel_product(height, some, weights.panel(p), vecs, {part, PANEL, weights.bias(p)});
                for (int i = 0; i < height; i++)
                    std::memcpy(to + (r + i) * y_stride, part + i * PANEL, width * sizeof(float));
            }
        }
}

}  // namespace crnn
