// Convolutions with kernels 2 wide, stride 1, with a third fewer multiplications: Winograd's one-dimensional F(3, 2)
// along the rows.
//
// Three neighbouring outputs need the four pixels under them: at the points 0, 1, -1 and infinity (see
// winograd_tiles.h) these become V, and the two columns of a kernel become U. The rows of a kernel are one after the
// other in the depth of the products, of which there are four. U's first and last place are the kernel's own columns;
// the middle two are so quickly made that they never go to memory.
#pragma once
#include <vector>

#include "conv.h"

namespace crnn {

class Winograd1dConv {
  public:
    static bool covers(const Window& w, const Fused& fused) {
        return w.kw == 2 && w.sw == 1 && w.sh == 1 && !fused.pools();
    }

    // weight(o, c, i) gives kernel (o, c)'s i-th value, row by row.
    template <class Weight>
    void pack(int out, int in, const Window& window, const Weight& weight, const float* bias) {
        window_ = window;
        depth_ = window.kh * padded(in);
        const int stride = padded(in), depth = depth_;
        for (int side = 0; side < 2; side++)
            columns_[side].pack(
                out, depth,
                [=](int o, int k) { return k % stride < in ? weight(o, k % stride, k / stride * 2 + side) : 0.f; },
                bias);
        zeros_.assign(stride, 0.f);
    }
    bool packed() const { return depth_ > 0; }

    // y: (n, out_h, out_w, padded(out))
    void run(const Images& x, const Images& y, const Fused& fused) {
        const Panels& panels = columns_[0].panels();
        const int across = (y.w + WIDTH - 1) / WIDTH, total = y.n * y.h * across;
        const int blocks = (total + TILES - 1) / TILES, most = (total + blocks - 1) / blocks;
        const int parts = panels.count < threads() ? threads() : 1;  // few panels: share out the tiles as well
        const int64_t place_v = int64_t(most) * depth_ + SKEW, place_m = int64_t(most) * PANEL + SKEW;
        float* v = places_.need(POINTS * place_v);
        float* all_m = products_.need(threads() * POINTS * place_m);
        float* all_u = middle_.need(threads() * 2 * size_t(DEPTH) * PANEL);
#pragma omp parallel
        for (int b = 0; b < blocks; b++) {
            const int first = int(int64_t(total) * b / blocks), count = int(int64_t(total) * (b + 1) / blocks) - first;
#pragma omp for schedule(static)
            for (int t = 0; t < count; t++)
                pixels_to_points(x, spot(first + t, y.h, across), v + int64_t(t) * depth_, place_v);
            float* m = all_m + omp_get_thread_num() * POINTS * place_m;
            float* u = all_u + omp_get_thread_num() * 2 * size_t(DEPTH) * PANEL;
#pragma omp for collapse(2) schedule(static)
            for (int p = 0; p < panels.count; p++)
                for (int z = 0; z < parts; z++) {
                    const int from = count * z / parts, some = count * (z + 1) / parts - from;
                    multiply(p, some, v + int64_t(from) * depth_, place_v, u, m, place_m);
                    for (int t = 0; t < some; t++)
                        points_to_pixels(p, m + int64_t(t) * PANEL, place_m, spot(first + from + t, y.h, across), y,
                                         fused);
                }
        }
    }

  private:
    static constexpr int WIDTH = 3, POINTS = 4;
    static constexpr int TILES = 288, DEPTH = 512;
    static constexpr int SKEW = 80;    // as in WinogradConv
    static constexpr int AHEAD = 512;  // floats of weights fetched from memory in advance

    Window window_;
    int depth_ = 0;
    Packed columns_[2];  // the kernels' left and right columns
    Buffer places_, products_, middle_;
    std::vector<float> zeros_;

    struct Spot {
        int image, row, left;
    };
    static Spot spot(int tile, int rows, int across) {
        return {tile / (rows * across), tile / across % rows, tile % across * WIDTH};
    }

    void pixels_to_points(const Images& x, const Spot& at, float* to, int64_t place) const {
        for (int r = 0; r < window_.kh; r++) {
            const float* pixel[POINTS];
            for (int s = 0; s < POINTS; s++) {
                const int i = at.row - window_.ph + r, j = at.left - window_.pw + s;
                const bool inside = i >= 0 && j >= 0 && i < x.h && j < x.w;
                pixel[s] = inside ? x.pixel(at.image, i, j) : zeros_.data();
            }
            for (int c = 0; c < x.stride; c += LANES, to += LANES) {
                const Vec d0 = load(pixel[0] + c), d1 = load(pixel[1] + c);
                const Vec d2 = load(pixel[2] + c), d3 = load(pixel[3] + c);
                store(to, d0 - d2);
                store(to + place, d1 + d2);
                store(to + 2 * place, d2 - d1);
                store(to + 3 * place, d3 - d1);
            }
        }
    }

    // One panel of outputs for `count` tiles; in slices of the depth whose weights stay in the L2 cache.
    void multiply(int p, int count, const float* v, int64_t place_v, float* u, float* m, int64_t place_m) const {
        const int vecs = columns_[0].panels().vecs_of(p);
        for (int k = 0; k < depth_; k += DEPTH) {
            const int depth = std::min(DEPTH, depth_ - k), size = depth * vecs * LANES;
            const float* left = columns_[0].panel(p) + int64_t(k) * vecs * LANES;
            const float* right = columns_[1].panel(p) + int64_t(k) * vecs * LANES;
            for (int i = 0; i < size; i += LANES) {
                __builtin_prefetch(left + i + AHEAD);
                __builtin_prefetch(right + i + AHEAD);
                const Vec l = load(left + i) * .5f, r = load(right + i) * .5f;
                store(u + i, l + r);
                store(u + size + i, l - r);
            }
            const float* places[POINTS] = {left, u, u + size, right};
            for (int s = 0; s < POINTS; s++) {
                Target sums{m + s * place_m, PANEL};
                sums.more = k > 0;
                panel_product(count, {v + s * place_v + k, depth_, depth}, places[s], vecs, sums);
            }
        }
    }

    void points_to_pixels(int p, const float* m, int64_t place, const Spot& at, const Images& y,
                          const Fused& fused) const {
        const int vecs = columns_[0].panels().vecs_of(p), columns = std::min(WIDTH, y.w - at.left);
        for (int c = 0; c < vecs * LANES; c += LANES) {
            const Vec first = load(m + c), one = load(m + place + c), other = load(m + 2 * place + c);
            const Vec pixels[WIDTH] = {first + one + other, one - other, one + other + load(m + 3 * place + c)};
            for (int s = 0; s < columns; s++) {
                float* to = y.pixel(at.image, at.row, at.left + s) + p * PANEL + c;
                Vec value = pixels[s] + load(columns_[0].bias(p) + c);
                if (fused.addend) value += load(fused.addend + (to - y.data));
                store(to, activate(value, fused.act));
            }
        }
    }
};

}  // namespace crnn
