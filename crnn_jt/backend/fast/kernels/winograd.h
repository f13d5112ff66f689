// 3x3 convolutions (stride 1, padding 1) with up to 4.3 times fewer multiplications: Winograd's algorithm.
//
// Lavin & Gray, "Fast Algorithms for Convolutional Neural Networks" (2015). The image is cut into tiles of 4x4 or 4x5
// pixels. The patch d under a tile becomes V = B^T d B, a kernel g becomes U = G g G^T; the tile is A^T [sum over
// channels of U * V] A. The sum is 36 or 42 independent products (tiles x in) . (in x out), one for each place of the
// patch. Rounding grows a little (about 1e-6 relative to the largest output).
#pragma once
#include <vector>

#include "winograd_tiles.h"

namespace crnn {

class WinogradConv {
  public:
    static bool covers(const Window& w) {
        return w.kh == 3 && w.kw == 3 && w.sh == 1 && w.sw == 1 && w.ph == 1 && w.pw == 1;
    }
    static bool covers(const Fused& fused) { return fused.pool_h <= 2 && fused.pool_w <= 2; }
    static Tiling tiling(int n, int h, int w, const Fused& fused) { return {n, h, w, fused.pool_w == 1 ? 5 : 4}; }

    // weight(o, c, i) gives kernel (o, c)'s i-th value, i = 3 * row + column.
    template <class Weight>
    void pack(int out, int in, const Weight& weight, const float* bias) {
        in_ = in;
        panels_ = Panels(out);
        places_ = 0;
        float* to = kernels_.need(size_t(panels_.columns()) * 9 * in);
#pragma omp parallel for collapse(2) schedule(static)
        for (int p = 0; p < panels_.count; p++)
            for (int c = 0; c < in; c++) {
                const int width = panels_.vecs_of(p) * LANES, known = std::min(width, out - p * PANEL);
                float* g = to + (size_t(p) * PANEL * in + size_t(c) * width) * 9;
                for (int j = 0; j < width; j++)
                    for (int i = 0; i < 9; i++)
                        g[(j / LANES * 9 + i) * LANES + j % LANES] = j < known ? weight(p * PANEL + j, c, i) : 0.f;
            }
        float* b = bias_.need(panels_.columns());
        std::fill(b, b + panels_.columns(), 0.f);
        if (bias) std::copy(bias, bias + out, b);
        zeros_.assign(padded(in), 0.f);
    }
    bool packed() const { return in_ > 0; }

    // y: (n, h / pool_h, w / pool_w, padded(out)); pooling 1 or 2 each way. All orders give the same bits.
    void run(const Images& x, const Images& y, const Fused& fused) {
        const Tiling tiles = tiling(x.n, x.h, x.w, fused);
        const Output out{y, fused, bias_.get()};
        if (tiles.count() <= FEW_TILES && panels_.count >= threads()) return run_few(x, out, tiles);
        if (places_ < tiles.places()) transform(tiles.places());
        if (size_t(places_) * in_ * panels_.columns() <= SMALL_WEIGHTS) run_by_tiles(x, out, tiles);
        else run_by_panels(x, out, tiles);
    }

  private:
    static constexpr size_t SMALL_WEIGHTS = 1 << 20;  // floats that may be read again for every block of tiles
    static constexpr int TILES_ALONE = 36;            // a thread's own block: V and the products stay in its L2 cache
    static constexpr int TILES_SHARED = 112;
    static constexpr int FEW_TILES = 12;  // up to this many, making U again is quicker than reading it
    static constexpr int CHANNELS = 48;   // whose U stays in the L2 cache
    // Places lie a little more than a power of two apart, or they would fight for the same lines of the cache.
    static constexpr int SKEW = 80;

    int in_ = 0, places_ = 0;  // places that U has been made for
    Panels panels_;
    Buffer kernels_, weights_, bias_, places_v_, products_, scratch_;
    std::vector<float> zeros_;

    // Products of a block of tiles: V and the sums, places `place_v` and `place_m` floats apart.
    struct Block {
        int first, count;
        const float* v;
        int64_t place_v;
        float* m;
        int64_t place_m;
        // Only tiles five wide have the last places, and they come first.
        int rows(int place, const Tiling& tiles) const {
            return place < PLACES ? count : std::clamp(tiles.wide_count() - first, 0, count);
        }
    };

    const float* kernels(int panel, int channel) const {
        return kernels_.get() + (size_t(panel) * PANEL * in_ + size_t(channel) * panels_.vecs_of(panel) * LANES) * 9;
    }
    float* weights(int panel, int place) const {
        return weights_.get() +
               (size_t(panel) * PANEL * places_ + size_t(place) * panels_.vecs_of(panel) * LANES) * in_;
    }

    void transform(int places) {
        places_ = places;
        weights_.need(size_t(panels_.columns()) * places * in_);
#pragma omp parallel for collapse(2) schedule(static)
        for (int p = 0; p < panels_.count; p++)
            for (int c = 0; c < in_; c++) {
                const int width = panels_.vecs_of(p) * LANES;
                kernels_to_places(kernels(p, c), 1, width, places, weights(p, 0) + size_t(c) * width,
                                  int64_t(in_) * width);
            }
    }

    // Every thread transforms and multiplies blocks of its own: no barrier, for weights that fit into its cache.
    void run_by_tiles(const Images& x, const Output& out, const Tiling& tiles) {
        const int nt = threads(), total = tiles.count(), stride = padded(in_);
        const int blocks = round_up((total + TILES_ALONE - 1) / TILES_ALONE, nt);
        const int most = (total + blocks - 1) / blocks;
        const int64_t place_v = int64_t(most) * stride + SKEW, place_m = int64_t(most) * PANEL + SKEW;
        float* all_v = places_v_.need(nt * tiles.places() * place_v);
        float* all_m = products_.need(nt * tiles.places() * place_m);
#pragma omp parallel for schedule(static, 1)
        for (int b = 0; b < blocks; b++) {
            const int first = int(int64_t(total) * b / blocks), count = int(int64_t(total) * (b + 1) / blocks) - first;
            float* v = all_v + omp_get_thread_num() * tiles.places() * place_v;
            float* m = all_m + omp_get_thread_num() * tiles.places() * place_m;
            for (int t = 0; t < count; t++)
                tile_to_places(x, tiles.spot(first + t), 0, stride, zeros_.data(), v + size_t(t) * stride, place_v);
            for (int p = 0; p < panels_.count; p++) multiply(p, {first, count, v, place_v, m, place_m}, out, tiles);
        }
    }

    // All threads share one transformed block, and each reads only its panels' weights: for large weights.
    void run_by_panels(const Images& x, const Output& out, const Tiling& tiles) {
        const int total = tiles.count(), blocks = (total + TILES_SHARED - 1) / TILES_SHARED, stride = padded(in_);
        const int most = (total + blocks - 1) / blocks;
        const int parts = panels_.count < threads() ? threads() : 1;  // few panels: share out the tiles as well
        const int64_t place_v = int64_t(most) * stride + SKEW, place_m = int64_t(most) * PANEL + SKEW;
        float* v = places_v_.need(tiles.places() * place_v);
        float* all_m = products_.need(threads() * tiles.places() * place_m);
#pragma omp parallel
        for (int b = 0; b < blocks; b++) {
            const int first = int(int64_t(total) * b / blocks), count = int(int64_t(total) * (b + 1) / blocks) - first;
            transform_tiles(x, tiles, first, count, v, place_v);
            float* m = all_m + omp_get_thread_num() * tiles.places() * place_m;
#pragma omp for collapse(2) schedule(static)
            for (int p = 0; p < panels_.count; p++)
                for (int z = 0; z < parts; z++) {
                    const int from = count * z / parts, some = count * (z + 1) / parts - from;
                    multiply(p, {first + from, some, v + size_t(from) * stride, place_v, m, place_m}, out, tiles);
                }
        }
    }

    // By all threads of a team, which then wait for each other.
    void transform_tiles(const Images& x, const Tiling& tiles, int first, int count, float* v, int64_t place_v) const {
        const int stride = padded(in_), slice = std::min(stride, 128);
#pragma omp for collapse(2) schedule(static)
        for (int t = 0; t < count; t++)
            for (int c = 0; c < stride; c += slice)
                tile_to_places(x, tiles.spot(first + t), c, std::min(c + slice, stride), zeros_.data(),
                               v + size_t(t) * stride, place_v);
    }

    // One panel of outputs for a block of tiles: the products, then each tile back to pixels.
    void multiply(int p, const Block& block, const Output& out, const Tiling& tiles) const {
        const int vecs = panels_.vecs_of(p), stride = padded(in_);
        for (int k = 0; k < tiles.places(); k++)
            panel_product(block.rows(k, tiles), {block.v + k * block.place_v, stride, in_}, weights(p, k), vecs,
                          {block.m + k * block.place_m, PANEL});
        write(p, block, out, tiles);
    }
    void write(int p, const Block& block, const Output& out, const Tiling& tiles) const {
        for (int t = 0; t < block.count; t++)
            places_to_tile(block.m + size_t(t) * PANEL, block.place_m, tiles.spot(block.first + t), p * PANEL,
                           panels_.vecs_of(p) * LANES, out);
    }

    // One image alone would wait for U to be read from memory: U is made again from the kernels, a quarter as large.
    // Some channels at a time for all panels of a thread, so that their part of V, U and the sums stay in its L2 cache.
    void run_few(const Images& x, const Output& out, const Tiling& tiles) {
        const int count = tiles.count(), places = tiles.places();
        const int64_t place_v = int64_t(count) * padded(in_) + SKEW, place_m = int64_t(count) * PANEL + SKEW;
        float* v = places_v_.need(places * place_v);
        float* m = products_.need(panels_.count * places * place_m);
        float* all_u = scratch_.need(threads() * places * PLACE_U);
#pragma omp parallel
        {
            transform_tiles(x, tiles, 0, count, v, place_v);
            float* u = all_u + omp_get_thread_num() * places * PLACE_U;
            for (int c = 0; c < in_; c += CHANNELS) {
#pragma omp for schedule(static) nowait
                for (int p = 0; p < panels_.count; p++)
                    add_channels(p, c, {0, count, v, place_v, m + p * places * place_m, place_m}, u, tiles);
            }
#pragma omp for schedule(static) nowait  // a panel is written by the thread that has its sums
            for (int p = 0; p < panels_.count; p++)
                write(p, {0, count, v, place_v, m + p * places * place_m, place_m}, out, tiles);
        }
    }
    static constexpr int64_t PLACE_U = int64_t(CHANNELS) * PANEL + SKEW;

    void add_channels(int p, int first, const Block& block, float* u, const Tiling& tiles) const {
        const int vecs = panels_.vecs_of(p), depth = std::min(CHANNELS, in_ - first);
        // The next panel's kernels, fetched in 36 parts.
        const float* next = kernels(p, first) + int64_t(in_) * PANEL * 9;
        kernels_to_places(kernels(p, first), depth, vecs * LANES, tiles.places(), u, PLACE_U);
        for (int k = 0; k < tiles.places(); k++) {
            Source from{block.v + k * block.place_v + first, padded(in_), depth};
            Target sums{block.m + k * block.place_m, PANEL};
            from.ahead = next + int64_t(k) * depth * LANES;
            sums.more = first > 0;
            for (int i = 0; i < block.count * PANEL; i += LINE)  // the sums of the next place
                __builtin_prefetch(block.m + (k + 1) * block.place_m + i, 1);
            panel_product(block.rows(k, tiles), from, u + k * PLACE_U, vecs, sums);
        }
    }
};

}  // namespace crnn
