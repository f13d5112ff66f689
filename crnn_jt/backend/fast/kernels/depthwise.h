// Depthwise convolution: every channel has a kernel of its own, (N, H, W, stride) -> (N, H', W', stride).
//
// A row of outputs is cut into tiles of a few pixels; a tile keeps its sums of one or two vectors of channels in
// registers, goes through the places of the kernel, and then on to the next channels. Places outside the image are
// left out: the tiles at its sides are single pixels. Each sum runs over the places in the same order in every tile.
#pragma once
#include <type_traits>

#include "conv.h"

namespace crnn {

// Where outputs go: `floats` of each pixel, which need not lie side by side.
struct Grid {
    float* data;
    int n, h, w, floats;
    int64_t image, row, pixel;  // floats from one to the next
    Grid(float* to, int images, int rows, int columns, int channels, int64_t image, int64_t row, int64_t pixel)
        : data(to), n(images), h(rows), w(columns), floats(channels), image(image), row(row), pixel(pixel) {}
    Grid(const Images& y)
        : Grid(y.data, y.n, y.h, y.w, y.stride, int64_t(y.h) * y.w * y.stride, int64_t(y.w) * y.stride, y.stride) {}
    float* at(int n, int i, int j) const { return data + n * image + i * row + j * pixel; }
};

class DepthwiseConv {
  public:
    // weight (channels, kh, kw), bias (channels,) or null.
    void pack(int channels, const Window& window, const float* weight, const float* bias) {
        window_ = window;
        taps_ = window.kh * window.kw;
        float* to = weights_.need(size_t(padded(channels)) * (taps_ + 1));  // [vector][bias, weights][LANES]
        for (int c = 0; c < padded(channels); c++)
            for (int i = 0; i <= taps_; i++) {
                float value = 0.f;
                if (c < channels) value = i ? weight[size_t(c) * taps_ + i - 1] : bias ? bias[c] : 0.f;
                to[(size_t(c / LANES) * (taps_ + 1) + i) * LANES + c % LANES] = value;
            }
    }

    // `end` is an activation, or is called with each tile's sums: end(sums [pixels][vecs * LANES], pixels, vecs, at, c)
    // of the pixels from value `at` of y on, c of which is their first channel.
    template <class End>
    void run(const Images& x, const End& end, const Grid& y) const {
        const int parts = y.n * y.h < threads() ? threads() : 1;  // of a row, where there are few
#pragma omp parallel for collapse(3) schedule(static) if (double(y.n) * y.h * y.w * y.floats * taps_ > SMALL)
        for (int n = 0; n < y.n; n++)
            for (int i = 0; i < y.h; i++)
                for (int z = 0; z < parts; z++) columns(x, n, i, y.w * z / parts, y.w * (z + 1) / parts, end, y);
    }

  private:
#if defined(__AVX512F__)
    static constexpr int TILE = 8;  // pixels; times two vectors of channels
#else
    static constexpr int TILE = 4;
#endif
    static constexpr double SMALL = 1 << 17;  // multiplications that one thread does sooner than two agree on them

    Window window_;
    int taps_ = 0;
    Buffer weights_;

    // The places of the kernel that lie in the image, and the pixel under the first of them.
    struct Places {
        int u0, u1, v0, v1;
        const float* x;
    };
    // Where a tile's outputs are, and the steps from pixel to pixel and from row to row of its inputs.
    struct Spot {
        float* y;
        int64_t stride;
        int64_t pixel, row;
        int64_t at;  // floats before it
    };

    // Outputs first..last of a row; of those from `left` to `right` no window sticks out sideways.
    template <class End>
    void columns(const Images& x, int n, int i, int first, int last, const End& end, const Grid& y) const {
        const Window& w = window_;
        const int room = x.w + w.pw - w.kw;
        const int left = std::clamp((w.pw + w.sw - 1) / w.sw, first, last);
        const int right = std::clamp(room < 0 ? 0 : room / w.sw + 1, left, last),
                  tiles = (right - left + TILE - 1) / TILE;
        for (int j = first; j < left; j++) border(x, n, i, j, end, y);
        for (int t = 0; t < tiles; t++) {
            const int from = left + (right - left) * t / tiles;
            inner(x, n, i, from, left + (right - left) * (t + 1) / tiles - from, end, y);
        }
        for (int j = right; j < last; j++) border(x, n, i, j, end, y);
    }
    Places places(const Images& x, int n, int i, int j) const {
        const int top = i * window_.sh - window_.ph, left = j * window_.sw - window_.pw;
        Places p{std::max(0, -top), std::min(window_.kh, x.h - top), std::max(0, -left),
                 std::min(window_.kw, x.w - left), nullptr};
        p.x = x.pixel(n, top + p.u0, left + p.v0);
        return p;
    }
    Spot spot(const Images& x, int n, int i, int j, const Grid& y) const {
        float* to = y.at(n, i, j);
        return {to, y.pixel, int64_t(window_.sw) * x.stride, int64_t(x.w) * x.stride, to - y.data};
    }

    template <class End>
    void border(const Images& x, int n, int i, int j, const End& end, const Grid& y) const {
        const Places p = places(x, n, i, j);
        const Spot s = spot(x, n, i, j, y);
        int c = 0;
        for (; c + 4 * LANES <= y.floats; c += 4 * LANES) tile<1, 4>(p, s, x.stride, c, end);
        for (; c < y.floats; c += LANES) tile<1, 1>(p, s, x.stride, c, end);
    }
    template <class End>
    void inner(const Images& x, int n, int i, int j, int count, const End& end, const Grid& y) const {
        const Places p = places(x, n, i, j);
        const Spot s = spot(x, n, i, j, y);
        int c = 0;
        for (; c + 2 * LANES <= y.floats; c += 2 * LANES) tile_of<2>(count, p, s, x.stride, c, end);
        for (; c < y.floats; c += LANES) tile_of<1>(count, p, s, x.stride, c, end);
    }

    template <int V, class End>
    void tile_of(int count, const Places& p, const Spot& s, int stride, int c, const End& end) const {
        switch (count) {
            case 1: return tile<1, V>(p, s, stride, c, end);
            case 2: return tile<2, V>(p, s, stride, c, end);
            case 3: return tile<3, V>(p, s, stride, c, end);
            case 4: return tile<4, V>(p, s, stride, c, end);
#if defined(__AVX512F__)
            case 5: return tile<5, V>(p, s, stride, c, end);
            case 6: return tile<6, V>(p, s, stride, c, end);
            case 7: return tile<7, V>(p, s, stride, c, end);
            case 8: return tile<8, V>(p, s, stride, c, end);
#endif
        }
    }

    // P pixels, V vectors of channels from c on.
    template <int P, int V, class End>
    __attribute__((noinline)) void tile(const Places& p, const Spot& s, int stride, int c, const End& end) const {
        const int64_t next = int64_t(taps_ + 1) * LANES;  // vector of weights
        const float* w = weights_.get() + c / LANES * next;
        Vec sum[P][V];
#pragma GCC unroll 8
        for (int k = 0; k < P; k++)
#pragma GCC unroll 4
            for (int v = 0; v < V; v++) sum[k][v] = load(w + v * next);
        w += LANES;
        for (int u = p.u0; u < p.u1; u++)
            for (int t = p.v0; t < p.v1; t++) {
                const float* x = p.x + (u - p.u0) * s.row + int64_t(t - p.v0) * stride + c;
                const float* own = w + (u * window_.kw + t) * LANES;
                Vec weight[V];
#pragma GCC unroll 4
                for (int v = 0; v < V; v++) weight[v] = load(own + v * next);
#pragma GCC unroll 8
                for (int k = 0; k < P; k++)
#pragma GCC unroll 4
                    for (int v = 0; v < V; v++) sum[k][v] += weight[v] * load(x + k * s.pixel + v * LANES);
            }
        if constexpr (std::is_same_v<End, Act>) {
#pragma GCC unroll 8
            for (int k = 0; k < P; k++)
#pragma GCC unroll 4
                for (int v = 0; v < V; v++)
                    store(s.y + k * s.stride + c + v * LANES, clips(end) ? clip(sum[k][v], end) : sum[k][v]);
            if (end != Act::none && !clips(end)) activate_rows({s.y + c, s.stride, nullptr, nullptr, end}, P, V);
        } else {
            alignas(64) float sums[P * V * LANES];
#pragma GCC unroll 8
            for (int k = 0; k < P; k++)
#pragma GCC unroll 4
                for (int v = 0; v < V; v++) store(sums + (k * V + v) * LANES, sum[k][v]);
            end(sums, P, V, s.at + c, c);
        }
    }
};

}  // namespace crnn
