// Depthwise convolution of levels: each channel has a kernel of its own, (N, H, W, stride) -> (N, H', W', stride).
//
// An instruction multiplies GROUP levels that lie together in a lane. Channels lie side by side, so what is put
// together here are rows: lane c of a pixel holds channel c of GROUP rows, one below the other. The kernel is cut the
// same way, once for each row that it can begin with inside such a group, the rows that it does not reach weighing
// nothing. A 3x3 kernel is then 3 or 6 products a lane instead of 9, one of 5x5 10 instead of 25 (of bytes; of words 6
// and 15).
#pragma once
#include "int8.h"

namespace crnn {

// An image as groups of rows, in a frame of zeros: (group, column, channel) lanes.
struct RowGroups {
    const int32_t* data;
    int w, stride;
    const int32_t* at(int group, int column) const { return data + (int64_t(group) * w + column) * stride; }
};

class LevelDepthwise {
  public:
    // Whole numbers `weight` (channels, kh, kw).
    void pack(int channels, const Window& window, const float* weight) {
        window_ = window;
        groups_ = (GROUP - 1 + window.kh - 1) / GROUP + 1;
        if (window.kh * window.kw * GROUP > MOST_DEPTH) throw std::invalid_argument("a sum of too many products");
        const int width = padded(channels), taps = window.kh * window.kw;
        vector_ = int64_t(GROUP) * groups_ * window.kw * LANES;
        auto* to = reinterpret_cast<LevelWeight*>(weights_.need(vector_ * (width / LANES)));
        auto* begin = reinterpret_cast<int32_t*>(begins_.need(width));
        std::fill(to, to + vector_ * (width / LANES) * GROUP, LevelWeight(0));
        std::fill(begin, begin + width, 0);
        for (int c = 0; c < channels; c++)
            for (int i = 0; i < taps; i++) {
                const int value = int(weight[size_t(c) * taps + i]);
                begin[c] -= ZERO * value;
                for (int first = 0; first < GROUP; first++) {
                    const int row = first + i / window.kw, place = place_of(first, row / GROUP, i % window.kw);
                    to[((c / LANES) * vector_ + int64_t(place) * LANES + c % LANES) * GROUP + row % GROUP] =
                        LevelWeight(value);
                }
            }
    }
    // Lanes of an image of x's size.
    size_t lanes(const Images& x) const { return size_t(count(x)) * (x.w + 2 * window_.pw) * x.stride; }

    // Image n of x, levels or floats that are rounded now, as groups of rows in `memory`.
    RowGroups group(const Images& x, int n, const Rounding& r, int32_t* memory) const {
        const RowGroups all{memory, x.w + 2 * window_.pw, x.stride};
#pragma omp parallel for schedule(static)
        for (int g = 0; g < count(x); g++) {
            if (x.rounded) fill_group<true>(x, n, g, r, memory + (all.at(g, 0) - memory));
            else fill_group<false>(x, n, g, r, memory + (all.at(g, 0) - memory));
        }
        return all;
    }

    // The sums of image n of y go to `to`, which stands at its first value.
    void run(const RowGroups& x, const Images& y, const LevelTarget& to) const {
        const int panels = (y.stride + PANEL - 1) / PANEL;
#pragma omp parallel for collapse(2) schedule(static)
        for (int i = 0; i < y.h; i++)
            for (int p = 0; p < panels; p++) {
                const int vecs = std::min(PANEL_VECS, y.stride / LANES - p * PANEL_VECS);
                row(x, i, p * PANEL, vecs, y, to.from(int64_t(i) * y.w * y.stride + p * PANEL, p * PANEL));
            }
    }

  private:
    Window window_;
    int groups_ = 0;      // of rows under a kernel, at most
    int64_t vector_ = 0;  // lanes of weights for a vector of channels: [first row][group][column][LANES]
    Buffer weights_, begins_;

    int place_of(int first, int group, int column) const { return (first * groups_ + group) * window_.kw + column; }
    int count(const Images& x) const { return (x.h + 2 * window_.ph + GROUP - 1) / GROUP; }

    template <bool ROUNDED>
    void fill_group(const Images& x, int n, int g, const Rounding& r, int32_t* to) const {
        const int edge = window_.pw * x.stride, inner = x.w * x.stride;
        int64_t from[GROUP];
        for (int k = 0; k < GROUP; k++) {
            const int row = g * GROUP + k - window_.ph;
            from[k] = row < 0 || row >= x.h ? -1 : (int64_t(n) * x.h + row) * inner;
        }
        IntVec part[GROUP];
        for (int k = 0; k < GROUP; k++) part[k] = IntVec{} + ZERO;
        const IntVec empty = pile(part);
        for (int c = 0; c < edge; c += LANES) *(IntVec*)(to + c) = *(IntVec*)(to + edge + inner + c) = empty;
        const Vec low = splat(-r.bound), high = splat(r.bound);
        for (int c = 0; c < inner; c += LANES) {
            for (int k = 0; k < GROUP; k++) {
                if (from[k] < 0) continue;
                if constexpr (ROUNDED) part[k] = wide(levels_of(x) + from[k] + c);
                else part[k] = nearest(min(max(load(x.data + from[k] + c) * r.per_step(), low), high)) + ZERO;
            }
            *(IntVec*)(to + edge + c) = pile(part);
        }
    }

    // GROUP levels of each lane, the first of them lowest.
    CRNN_INLINE IntVec pile(const IntVec* rows) {
        constexpr int BITS = 8 * sizeof(Level);
        IntVec all = rows[GROUP - 1];
        for (int k = GROUP - 2; k >= 0; k--) all = (all << BITS) | (rows[k] & ((1 << BITS) - 1));
        return all;
    }

    // A row of outputs, `vecs` vectors of channels from c on.
    void row(const RowGroups& x, int i, int c, int vecs, const Images& y, const LevelTarget& to) const {
        const int top = i * window_.sh, first = top % GROUP, tiles = (y.w + TILE_ROWS - 1) / TILE_ROWS;
        const Rows rows{(first + window_.kh - 1) / GROUP + 1, int64_t(x.w) * x.stride, x.stride,
                        reinterpret_cast<const LevelWeight*>(weights_.get()) +
                            (c / LANES * vector_ + int64_t(place_of(first, 0, 0)) * LANES) * GROUP,
                        reinterpret_cast<const int32_t*>(begins_.get()) + c};
        for (int t = 0, j = 0; t < tiles; t++) {
            const int next = y.w * (t + 1) / tiles;
            find(next - j, vecs)(*this, x.at(top / GROUP, j * window_.sw) + c, rows, to, int64_t(j) * y.stride);
            j = next;
        }
    }
    // What the tiles of a row share: groups of rows, lanes from group to group and from column to column, weights, what
    // sums begin with.
    struct Rows {
        int groups;
        int64_t group, column;
        const LevelWeight* weights;
        const int32_t* begin;
    };
    using Tile = void (*)(const LevelDepthwise&, const int32_t*, const Rows&, const LevelTarget&, int64_t);
    static Tile find(int pixels, int vecs) {
        switch (vecs) {
            case 1: return tile_of<1>(pixels);
            case 2: return tile_of<2>(pixels);
#if defined(__AVX512F__)
            case 3: return tile_of<3>(pixels);
            case 4: return tile_of<4>(pixels);
#endif
        }
        return nullptr;
    }
    template <int V>
    static Tile tile_of(int pixels) {  // no table: libraries of several instruction sets would share it
        switch (pixels) {
            case 1: return tile<1, V>;
            case 2: return tile<2, V>;
            case 3: return tile<3, V>;
            case 4: return tile<4, V>;
            case 5: return tile<5, V>;
            default: return tile<6, V>;
        }
    }
    // P pixels, V vectors of channels, from x on; their sums go out from value `at` on.
    template <int P, int V>
    static __attribute__((noinline)) void tile(const LevelDepthwise& own, const int32_t* x, const Rows& rows,
                                               const LevelTarget& to, int64_t at) {
        IntVec sum[P][V];
#pragma GCC unroll 8
        for (int k = 0; k < P; k++)
#pragma GCC unroll 8
            for (int v = 0; v < V; v++) sum[k][v] = *(const IntVec*)(rows.begin + v * LANES);
        const int64_t pixel = own.window_.sw * rows.column, vector = own.vector_ * GROUP;
        const LevelWeight* weights = rows.weights;
        const int columns = own.window_.kw;
        for (int g = 0; g < rows.groups; g++, x += rows.group) {
            const int32_t* from = x;
            for (int t = 0; t < columns; t++, from += rows.column, weights += LANES * GROUP) {
                IntVec w[V];
#pragma GCC unroll 8
                for (int v = 0; v < V; v++) w[v] = *(const IntVec*)(weights + v * vector);
#pragma GCC unroll 8
                for (int k = 0; k < P; k++)
#pragma GCC unroll 8
                    for (int v = 0; v < V; v++)
                        sum[k][v] = dot(sum[k][v], *(const IntVec*)(from + k * pixel + v * LANES), w[v]);
            }
        }
        finish_tile<P, V>(sum, to, at);
    }
};

}  // namespace crnn
