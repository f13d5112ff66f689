// 3x3 convolutions (stride 1, padding 1) for training, on images as Jittor has them, (N, C, H, W).
//
// Forward and the gradient at the input are the same Winograd kernel, the latter with the kernels turned round. The
// gradient at the weights is the transposed algorithm: with V = B^T d B of a tile's patch and M = A e A^T of its output
// gradient, it is G^T [sum over tiles of M * V] G, 36 products (out x tiles) . (tiles x in).
#pragma once
#include "pixels.h"
#include "winograd.h"

namespace crnn {

// One dimension of A e: four values in, six out.
CRNN_INLINE void spread_gradient(const Vec* e, int s, Vec* m, int t) {
    const Vec even = e[0] + e[2 * s], odd = e[s] + e[3 * s];
    const Vec even2 = e[0] + 4.f * e[2 * s], odd2 = 2.f * e[s] + 8.f * e[3 * s];
    m[0] = e[0];
    m[t] = even + odd;
    m[2 * t] = even - odd;
    m[3 * t] = even2 + odd2;
    m[4 * t] = even2 - odd2;
    m[5 * t] = e[3 * s];
}

// One dimension of G^T u: six values in, three out.
CRNN_INLINE void gather_weights(const Vec* u, int s, Vec* g, int t) {
    const Vec near = u[s] + u[2 * s], far = u[3 * s] + u[4 * s];
    g[0] = .25f * u[0] - near * (1.f / 6) + far * (1.f / 24);
    g[t] = (u[2 * s] - u[s]) * (1.f / 6) + (u[3 * s] - u[4 * s]) * (1.f / 12);
    g[2 * t] = (far - near) * (1.f / 6) + u[5 * s];
}

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
        _Pragma("GCC unroll 8") for (int r = 0; r < R; r++) {
            const float x = a[r];
            _Pragma("GCC unroll 8") for (int v = 0; v < V; v++) sum[r][v] += row[v] * x;
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

struct ConvShape {
    int n, in, out, h, w;
    Images images(int count, int channels) const { return {nullptr, count, h, w, channels, padded(channels)}; }
    int64_t area() const { return int64_t(h) * w; }
    // Images are taken through in groups: what a group needs stays small.
    int together() const {
        const size_t one = size_t(area()) * padded(std::max(in, out));
        return int(std::max<size_t>(1, std::min<size_t>(n, GROUP / one)));
    }
    static constexpr size_t GROUP = size_t(1) << 22;  // floats
};

class TrainingConv {
  public:
    // y (n, out, h, w) = x (n, in, h, w) convolved with weight (out, in, 3, 3), + bias (null or (out,))
    void forward(const ConvShape& s, const float* x, const float* weight, const float* bias, float* y) {
        conv_.pack(s.out, s.in, [=](int o, int c, int i) { return weight[(size_t(o) * s.in + c) * 9 + i]; }, bias);
        run(s, s.in, s.out, x, y);
    }

    // dx from dy: the gradient at the input.
    void input_gradient(const ConvShape& s, const float* dy, const float* weight, float* dx) {
        conv_.pack(s.in, s.out, [=](int o, int c, int i) { return weight[(size_t(c) * s.in + o) * 9 + 8 - i]; }, nullptr);
        run(s, s.out, s.in, dy, dx);
    }

    // dweight (out, in, 3, 3) and dbias (out,)
    void weight_gradient(const ConvShape& s, const float* x, const float* dy, float* dweight, float* dbias) {
        const int in = padded(s.in), out = padded(s.out);
        float* sums = sums_.need(size_t(PLACES) * s.out * in);
        std::vector<double> bias(out, 0.);
        zeros_.assign(std::max(in, out), 0.f);
        bool first = true;
        for (int n = 0; n < s.n; n += s.together()) {
            const int some = std::min(s.together(), s.n - n);
            const Images a = load_planes(s, x, s.in, n, some, x_), b = load_planes(s, dy, s.out, n, some, y_);
            const Tiling tiles(some, s.h, s.w);
            for (int t = 0; t < tiles.count(); t += TILES) {
                multiply(a, b, tiles, t, std::min(TILES, tiles.count() - t), s.out, sums, first);
                first = false;
            }
            add_pixels(b, bias);
        }
        to_weights(s, sums, dweight);
        for (int o = 0; o < s.out; o++) dbias[o] = float(bias[o]);
    }

  private:
    static constexpr int TILES = 192;  // tiles multiplied together
    static constexpr int SKEW = 80;    // as in WinogradConv

    WinogradConv conv_;
    Buffer x_, y_, places_x_, places_y_, sums_;
    std::vector<float> zeros_;

    static Images load_planes(const ConvShape& s, const float* planes, int channels, int first, int count, Buffer& buffer) {
        Images images = s.images(count, channels);
        images.data = buffer.need(images.size());
        from_planes(planes + int64_t(first) * channels * s.area(), images);
        return images;
    }

    void run(const ConvShape& s, int in, int out, const float* x, float* y) {
        for (int n = 0; n < s.n; n += s.together()) {
            const int some = std::min(s.together(), s.n - n);
            const Images from = load_planes(s, x, in, n, some, x_);
            Images to = s.images(some, out);
            to.data = y_.need(to.size());
            conv_.run(from, to, Fused{});
            to_planes(to, y + int64_t(n) * out * s.area());
        }
    }

    // sums[place][out][in] += the products of `count` tiles from `first_tile` on
    void multiply(const Images& x, const Images& dy, const Tiling& tiles, int first_tile, int count, int rows, float* sums,
                  bool first) {
        const int in = x.stride, out = dy.stride;
        const int64_t place_x = int64_t(TILES) * in + SKEW, place_y = int64_t(TILES) * out + SKEW;
        float* v = places_x_.need(PLACES * place_x);
        float* m = places_y_.need(PLACES * place_y);
        const Panels panels(in);
        #pragma omp parallel
        {
            #pragma omp for schedule(static)
            for (int t = 0; t < count; t++) {
                patch_to_places(x, tiles, first_tile + t, 0, in, zeros_.data(), v + size_t(t) * in, place_x);
                gradient_to_places(dy, tiles, first_tile + t, m + size_t(t) * out, place_y);
            }
            #pragma omp for collapse(2) schedule(static)
            for (int k = 0; k < PLACES; k++)
                for (int p = 0; p < panels.count; p++)
                    for (int o = 0; o < rows; o += TILE_ROWS) {
                        const int height = std::min(TILE_ROWS, rows - o);
                        find_outer_tile(height, panels.vecs_of(p))(
                            count, m + k * place_y + o, out, v + k * place_x + p * PANEL, in,
                            sums + (size_t(k) * rows + o) * in + p * PANEL, in, first);
                    }
        }
    }

    // M = A e A^T of one tile's output gradient; what sticks out of the image is zero.
    static void gradient_to_places(const Images& dy, const Tiling& tiles, int tile, float* to, int64_t place_stride) {
        const int top = tiles.top(tile), left = tiles.left(tile), image = tiles.image(tile);
        for (int c = 0; c < dy.stride; c += LANES) {
            Vec e[16], half[24], m[PLACES];
            for (int r = 0; r < 4; r++)
                for (int s = 0; s < 4; s++) {
                    const bool inside = top + r < dy.h && left + s < dy.w;
                    e[r * 4 + s] = inside ? load(dy.pixel(image, top + r, left + s) + c) : Vec{};
                }
            for (int s = 0; s < 4; s++) spread_gradient(e + s, 4, half + s, 4);  // 6 x 4
            for (int r = 0; r < 6; r++) spread_gradient(half + r * 4, 1, m + r * 6, 1);
            for (int k = 0; k < PLACES; k++) store(to + c + k * place_stride, m[k]);
        }
    }

    static void add_pixels(const Images& dy, std::vector<double>& sums) {
        const int64_t pixels = int64_t(dy.n) * dy.h * dy.w;
        #pragma omp parallel for schedule(static)
        for (int c = 0; c < dy.stride; c += LANES)
            for (int64_t p = 0; p < pixels;) {
                Vec sum{};  // in float over a stretch, in double over all
                for (const int64_t end = std::min(p + 1024, pixels); p < end; p++) sum += load(dy.data + p * dy.stride + c);
                for (int l = 0; l < LANES; l++) sums[c + l] += sum[l];
            }
    }

    static void to_weights(const ConvShape& s, const float* sums, float* dweight) {
        const int in = padded(s.in);
        #pragma omp parallel for schedule(static)
        for (int o = 0; o < s.out; o++)
            for (int c = 0; c < in; c += LANES) {
                Vec u[PLACES], half[18], g[9];
                for (int k = 0; k < PLACES; k++) u[k] = load(sums + (size_t(k) * s.out + o) * in + c);
                for (int q = 0; q < 6; q++) gather_weights(u + q, 6, half + q, 6);  // 3 x 6
                for (int r = 0; r < 3; r++) gather_weights(half + r * 6, 1, g + r * 3, 1);
                for (int l = 0; l < std::min(LANES, s.in - c); l++)
                    for (int i = 0; i < 9; i++) dweight[(size_t(o) * s.in + c + l) * 9 + i] = g[i][l];
            }
    }
};

}  // namespace crnn
