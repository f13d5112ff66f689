// 3x3 convolutions (stride 1, padding 1) with 3.7 times fewer multiplications: Winograd's F(4x4, 3x3).
//
// Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks" (2015). The image is cut into 4x4 tiles. The 6x6 patch d
// under a tile becomes V = B^T d B, a kernel g becomes U = G g G^T; the tile is A^T [sum over channels of U * V] A. The
// sum is 36 independent products (tiles x in) . (in x out), one for each place of the 6x6 patch.
// Rounding grows a little (about 1e-6 relative to the largest output); F(6x6) would be 1e-4.
#pragma once
#include <vector>

#include "conv.h"

namespace crnn {

constexpr int PLACES = 36;

// One dimension of B^T d: six values in, six out; `s` is the distance between them.
CRNN_INLINE void transform_patch(Vec* d, int s) {
    const Vec d0 = d[0], d1 = d[s], d2 = d[2 * s], d3 = d[3 * s], d4 = d[4 * s], d5 = d[5 * s];
    const Vec even = d4 - 4.f * d2, odd = d3 - 4.f * d1, even1 = d4 - d2, odd1 = 2.f * (d3 - d1);
    d[0] = 4.f * d0 - 5.f * d2 + d4;
    d[s] = even + odd;
    d[2 * s] = even - odd;
    d[3 * s] = even1 + odd1;
    d[4 * s] = even1 - odd1;
    d[5 * s] = 4.f * d1 - 5.f * d3 + d5;
}

// One dimension of A^T m: six values in, four out.
CRNN_INLINE void transform_products(const Vec* m, int s, Vec* y, int t) {
    const Vec a = m[s] + m[2 * s], b = m[s] - m[2 * s], c = m[3 * s] + m[4 * s], d = m[3 * s] - m[4 * s];
    y[0] = m[0] + a + c;
    y[t] = b + 2.f * d;
    y[2 * t] = a + 4.f * c;
    y[3 * t] = b + 8.f * d + m[5 * s];
}

// One dimension of G g: three values in, six out.
CRNN_INLINE void transform_weights(const Vec* g, int s, Vec* u, int t) {
    const Vec ends = (g[0] + g[2 * s]) * (-1.f / 6), middle = g[s] * (1.f / 6);
    const Vec far = g[0] * (1.f / 24) + g[2 * s] * (1.f / 6), half = g[s] * (1.f / 12);
    u[0] = g[0] * .25f;
    u[t] = ends - middle;
    u[2 * t] = ends + middle;
    u[3 * t] = far + half;
    u[4 * t] = far - half;
    u[5 * t] = g[2 * s];
}

// U = G g G^T of LANES 3x3 kernels at once.
CRNN_INLINE void transform_kernels(const Vec g[9], Vec u[PLACES]) {
    Vec half[18];  // 6 x 3
    for (int c = 0; c < 3; c++) transform_weights(g + c, 3, half + c, 3);
    for (int r = 0; r < 6; r++) transform_weights(half + r * 3, 1, u + r * 6, 1);
}

// The 4x4 tiles of a batch, numbered through; the last of a row or column may stick out.
struct Tiling {
    int n, h, w, down, across;
    Tiling(int n, int h, int w) : n(n), h(h), w(w), down((h + 3) / 4), across((w + 3) / 4) {}
    int count() const { return n * down * across; }
    int image(int tile) const { return tile / (down * across); }
    int top(int tile) const { return tile / across % down * 4; }
    int left(int tile) const { return tile % across * 4; }
};

// V of one tile for channels [first, last): places `place_stride` floats apart. Pixels outside the image are `zeros`.
static inline void patch_to_places(const Images& x, const Tiling& tiles, int tile, int first, int last, const float* zeros,
                                   float* to, int64_t place_stride) {
    const int top = tiles.top(tile) - 1, left = tiles.left(tile) - 1, image = tiles.image(tile);
    const float* pixel[PLACES];
    for (int r = 0; r < 6; r++)
        for (int s = 0; s < 6; s++) {
            const int i = top + r, j = left + s;
            const bool inside = i >= 0 && j >= 0 && i < x.h && j < x.w;
            pixel[r * 6 + s] = inside ? x.pixel(image, i, j) : zeros;
        }
    for (int c = first; c < last; c += LANES) {
        Vec e[PLACES];
        _Pragma("GCC unroll 6") for (int s = 0; s < 6; s++) {
            Vec column[6];
            for (int r = 0; r < 6; r++) column[r] = load(pixel[r * 6 + s] + c);
            transform_patch(column, 1);
            for (int r = 0; r < 6; r++) e[r * 6 + s] = column[r];
        }
        _Pragma("GCC unroll 6") for (int r = 0; r < 6; r++) {
            transform_patch(e + r * 6, 1);
            for (int s = 0; s < 6; s++) store(to + c + (r * 6 + s) * place_stride, e[r * 6 + s]);
        }
    }
}

class WinogradConv {
  public:
    static bool covers(const Window& w) {
        return w.kh == 3 && w.kw == 3 && w.sh == 1 && w.sw == 1 && w.ph == 1 && w.pw == 1;
    }

    // weight(o, c, i) gives kernel (o, c)'s i-th value, i = 3 * row + column.
    template <class Weight>
    void pack(int out, int in, const Weight& weight, const float* bias) {
        in_ = in;
        panels_ = Panels(out);
        const int depth = PLACES * in;
        float* to = weights_.need(size_t(panels_.columns()) * depth);
        #pragma omp parallel for collapse(2) schedule(static)
        for (int p = 0; p < panels_.count; p++)
            for (int c = 0; c < in; c++) {
                const int width = panels_.vecs_of(p) * LANES;
                float* panel = to + size_t(p) * PANEL * depth + size_t(c) * width;
                for (int j = 0; j < width; j += LANES) {
                    Vec g[9] = {}, u[PLACES];
                    const int o = p * PANEL + j, lanes = std::min(LANES, out - o);
                    for (int i = 0; i < 9; i++)
                        for (int l = 0; l < lanes; l++) g[i][l] = weight(o + l, c, i);
                    transform_kernels(g, u);
                    for (int k = 0; k < PLACES; k++) store(panel + size_t(k) * in * width + j, u[k]);
                }
            }
        float* b = bias_.need(panels_.columns());
        std::fill(b, b + panels_.columns(), 0.f);
        if (bias) std::copy(bias, bias + out, b);
        zeros_.assign(padded(in), 0.f);
    }
    bool packed() const { return in_ > 0; }

    // y: (n, h / pool_h, w / pool_w, padded(out)); pooling 1 or 2 each way.
    static bool covers(const Fused& fused) { return fused.pool_h <= 2 && fused.pool_w <= 2; }
    void run(const Images& x, const Images& y, const Fused& fused) {
        const Tiling tiles(x.n, x.h, x.w);
        if (size_t(PLACES) * in_ * panels_.columns() <= SMALL_WEIGHTS) run_by_tiles(x, y, fused, tiles);
        else run_by_panels(x, y, fused, tiles);
    }

  private:
    // Both orders give the same bits; only the traffic differs.
    static constexpr size_t SMALL_WEIGHTS = 1 << 20;  // floats that may be read again for every block of tiles
    static constexpr int TILES_ALONE = 36;            // a thread's own block: V and the products stay in its L2 cache
    static constexpr int TILES_SHARED = 112;
    // Places lie a little more than a power of two apart, or they would fight for the same lines of the cache.
    static constexpr int SKEW = 80;

    int in_ = 0;
    Panels panels_;
    Buffer weights_, bias_, places_, products_;
    std::vector<float> zeros_;

    const float* weights(int panel, int place) const {
        return weights_.get() + (size_t(panel) * PANEL * PLACES + size_t(place) * panels_.vecs_of(panel) * LANES) * in_;
    }

    // Every thread transforms and multiplies blocks of its own: no barrier, for weights that fit into its cache.
    void run_by_tiles(const Images& x, const Images& y, const Fused& fused, const Tiling& tiles) {
        const int nt = threads(), total = tiles.count(), stride = padded(in_);
        int blocks = round_up((total + TILES_ALONE - 1) / TILES_ALONE, nt);
        const int most = (total + blocks - 1) / blocks;
        const int64_t place_v = int64_t(most) * stride + SKEW, place_m = int64_t(most) * PANEL + SKEW;
        float* all_v = places_.need(nt * PLACES * place_v);
        float* all_m = products_.need(nt * PLACES * place_m);
        #pragma omp parallel for schedule(static)
        for (int b = 0; b < blocks; b++) {
            const int first = int(int64_t(total) * b / blocks), count = int(int64_t(total) * (b + 1) / blocks) - first;
            float* v = all_v + omp_get_thread_num() * PLACES * place_v;
            float* m = all_m + omp_get_thread_num() * PLACES * place_m;
            for (int t = 0; t < count; t++)
                patch_to_places(x, tiles, first + t, 0, stride, zeros_.data(), v + size_t(t) * stride, place_v);
            for (int p = 0; p < panels_.count; p++) multiply(p, v, place_v, count, m, place_m, y, fused, tiles, first);
        }
    }

    // All threads share one transformed block, and each reads only its panels' weights: for large weights.
    void run_by_panels(const Images& x, const Images& y, const Fused& fused, const Tiling& tiles) {
        const int total = tiles.count(), blocks = (total + TILES_SHARED - 1) / TILES_SHARED, stride = padded(in_);
        const int most = (total + blocks - 1) / blocks, slice = std::min(stride, 128);
        const int parts = panels_.count < threads() ? threads() : 1;  // few panels: share out the tiles as well
        const int64_t place_v = int64_t(most) * stride + SKEW, place_m = int64_t(most) * PANEL + SKEW;
        float* v = places_.need(PLACES * place_v);
        float* all_m = products_.need(threads() * PLACES * place_m);
        #pragma omp parallel
        for (int b = 0; b < blocks; b++) {
            const int first = int(int64_t(total) * b / blocks), count = int(int64_t(total) * (b + 1) / blocks) - first;
            #pragma omp for collapse(2) schedule(static)
            for (int t = 0; t < count; t++)
                for (int c = 0; c < stride; c += slice)
                    patch_to_places(x, tiles, first + t, c, std::min(c + slice, stride), zeros_.data(),
                                    v + size_t(t) * stride, place_v);
            float* m = all_m + omp_get_thread_num() * PLACES * place_m;
            #pragma omp for collapse(2) schedule(static)
            for (int p = 0; p < panels_.count; p++)
                for (int z = 0; z < parts; z++) {
                    const int from = count * z / parts, some = count * (z + 1) / parts - from;
                    multiply(p, v + size_t(from) * stride, place_v, some, m, place_m, y, fused, tiles, first + from);
                }
        }
    }

    // One panel of outputs for `count` tiles: 36 products, then each tile back to pixels.
    void multiply(int p, const float* v, int64_t place_v, int count, float* m, int64_t place_m, const Images& y,
                  const Fused& fused, const Tiling& tiles, int first) const {
        const int vecs = panels_.vecs_of(p), stride = padded(in_);
        for (int k = 0; k < PLACES; k++)
            panel_product(count, {v + k * place_v, stride, in_}, weights(p, k), vecs, {m + k * place_m, PANEL});
        for (int t = 0; t < count; t++)
            for (int c = 0; c < vecs * LANES; c += LANES)
                products_to_pixels(m + size_t(t) * PANEL + c, place_m, p * PANEL + c, tiles, first + t, y, fused);
    }

    // One tile, LANES output channels from `channel` on: 36 sums -> 4x4 pixels (fewer after pooling or at the border).
    void products_to_pixels(const float* m, int64_t place_m, int channel, const Tiling& tiles, int tile, const Images& y,
                            const Fused& fused) const {
        Vec half[24], pixels[16];
        for (int s = 0; s < 6; s++) {
            Vec column[6];
            for (int r = 0; r < 6; r++) column[r] = load(m + (r * 6 + s) * place_m);
            transform_products(column, 1, half + s, 6);
        }
        for (int r = 0; r < 4; r++) transform_products(half + r * 6, 1, pixels + r * 4, 1);
        const Vec bias = load(bias_.get() + channel);
        const int image = tiles.image(tile), ph = fused.pool_h, pw = fused.pool_w;
        const int top = tiles.top(tile) / ph, left = tiles.left(tile) / pw;
        const int rows = std::min(4 / ph, y.h - top), columns = std::min(4 / pw, y.w - left);
        for (int r = 0; r < rows; r++)
            for (int s = 0; s < columns; s++) {
                Vec value = pixels[r * ph * 4 + s * pw];
                for (int a = 0; a < ph; a++)
                    for (int b = 0; b < pw; b++) value = max(value, pixels[(r * ph + a) * 4 + s * pw + b]);
                float* to = y.pixel(image, top + r, left + s) + channel;
                value += bias;
                if (fused.addend) value += load(fused.addend + (to - y.data));
                store(to, activate(value, fused.act));
            }
    }
};

}  // namespace crnn
