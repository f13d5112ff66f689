// Convolutions for training, on channels-last images (conv.h).
//
// Forward and the gradient at the input are the kernels that read, the latter with the kernels rotated by 180 degrees.
// The gradient at the weights is, for 3x3 kernels, Winograd's algorithm transposed, on tiles of 4x4: with V = B^T d B
// of a tile's patch and M = A e A^T of its output gradient, it is G^T [sum over tiles of M * V] G, 36 products (out x
// tiles) . (tiles x in). For all others it is the product of every run of pixels under a row of the kernel with the
// gradients at the pixels they lead to.
#pragma once
#include "outer.h"
#include "winograd.h"

namespace crnn {

// One dimension of A e: four values in, six out.
CRNN_INLINE void spread_gradient(const Vec* e, int s, Vec* m, int t) {
    const Vec even = e[0] + e[2 * s], odd = e[s] + e[3 * s];
    m[0] = e[0];
    m[t] = even + odd;
    m[2 * t] = even - odd;
    m[3 * t] = e[0] + .5f * e[s] + .25f * e[2 * s] + .125f * e[3 * s];
    m[4 * t] = e[0] - 2.f * e[s] + 4.f * e[2 * s] - 8.f * e[3 * s];
    m[5 * t] = e[3 * s];
}

// One dimension of G^T u: six values in, three out.
CRNN_INLINE void gather_weights(const Vec* u, Vec* g, int t) {
    const Vec odd = (u[1] - u[2]) * (1.f / 3), even = (u[1] + u[2]) * (1.f / 3);
    const Vec half = u[3] * (4.f / 15), two = u[4] * (1.f / 15);
    g[0] = u[0] + odd - 4.f * half + two;
    g[t] = even - 2.f * half - 2.f * two;
    g[2 * t] = odd - half + 4.f * two + u[5];
}

struct ConvShape {
    int n, h, w, in, stride, out;  // `stride` floats a pixel of the input
    Window window;
    int out_h() const { return window.out_h(h); }
    int out_w() const { return window.out_w(w); }
    bool winograd() const { return WinogradConv::covers(window) && std::min(in, out) >= 16; }
    Images input(float* x) const { return {x, n, h, w, in, stride}; }
    Images output(float* y) const { return {y, n, out_h(), out_w(), out, padded(out)}; }
    // Images are taken through in groups: what a group needs stays small.
    int together() const {
        const size_t one =
            std::max(size_t(h + 8) * (w + 8) * padded(in), size_t(out_h() + 8) * (out_w() + 8) * padded(out));
        return int(std::max<size_t>(1, std::min<size_t>(n, GROUP / one)));
    }
    static constexpr size_t GROUP = size_t(1) << 22;  // floats
};

class TrainingConv {
  public:
    // y = x convolved with weight (out, in, kh, kw), + bias (null or (out,))
    void forward(const ConvShape& s, const Images& x, const float* weight, const float* bias, const Images& y) {
        const int size = s.window.kh * s.window.kw;
        const auto given = [=](int o, int c, int i) { return weight[(size_t(o) * s.in + c) * size + i]; };
        if (s.winograd()) winograd_.pack(s.out, s.in, given, bias);
        else direct_.pack(s.out, s.in, s.stride, s.window, given, bias);
        each_group(s, [&](int first, int count) { convolve(s, some(x, first, count), some(y, first, count)); });
    }

    // dx from dy: the output's gradient, its pixels `stride` apart among zeros, convolved with the kernels rotated by
    // 180 degrees.
    void input_gradient(const ConvShape& s, const Images& dy, const float* weight, const Images& dx) {
        const Window& w = s.window;
        const int size = w.kh * w.kw;
        const auto rotated = [=](int c, int o, int i) { return weight[(size_t(o) * s.in + c) * size + size - 1 - i]; };
        const bool dense = w.sh == 1 && w.sw == 1 && w.ph < w.kh && w.pw < w.kw;  // no zeros between pixels
        if (s.winograd()) winograd_.pack(s.in, s.out, rotated, nullptr);
        else {
            const int ph = dense ? w.kh - 1 - w.ph : 0, pw = dense ? w.kw - 1 - w.pw : 0;
            direct_.pack(s.in, s.out, dy.stride, {w.kh, w.kw, 1, 1, ph, pw}, rotated, nullptr);
        }
        each_group(s, [&](int first, int count) {
            const Images from = some(dy, first, count), to = some(dx, first, count);
            Images whole{to.data, count, s.h, s.w, s.in, padded(s.in)};  // the kernels write whole vectors
            if (whole.stride != to.stride) whole.data = narrow_.need(whole.size());
            convolve(s, s.winograd() || dense ? from : spread(s, from), whole);
            for (size_t p = 0; whole.data != to.data && p < size_t(count) * s.h * s.w; p++)
                std::copy_n(whole.data + p * whole.stride, to.stride, to.data + p * to.stride);
        });
    }

    // dweight (out, in, kh, kw) and dbias (out,)
    void weight_gradient(const ConvShape& s, const Images& x, const Images& dy, float* dweight, float* dbias) {
        std::vector<double> bias(padded(s.out), 0.);
        zeros_.assign(padded(std::max(s.in, s.out)), 0.f);
        bool fresh = true;
        each_group(s, [&](int first, int count) {
            const Images from = some(x, first, count), gradient = some(dy, first, count);
            if (s.winograd()) add_tiles(s, from, gradient, fresh);
            else add_runs(s, add_frame(from, s.window.ph, s.window.pw, frame_), gradient, fresh);
            add_pixels(gradient, bias);
            fresh = false;
        });
        if (s.winograd()) places_to_weights(s, dweight);
        else runs_to_weights(s, dweight);
        for (int o = 0; o < s.out; o++) dbias[o] = float(bias[o]);
    }

  private:
    static constexpr int TILES = 192;  // tiles multiplied together
    static constexpr int SKEW = 80;    // as in WinogradConv
    static constexpr int PARTS = 16;   // the images' sums are made in this many parts, whatever the number of threads

    WinogradConv winograd_;
    DirectConv direct_;
    Buffer narrow_, frame_, places_x_, places_y_, sums_;
    std::vector<float> zeros_;

    template <class Work>
    static void each_group(const ConvShape& s, const Work& work) {
        for (int n = 0; n < s.n; n += s.together()) work(n, std::min(s.together(), s.n - n));
    }

    // With whichever convolution was packed last.
    void convolve(const ConvShape& s, const Images& from, const Images& to) {
        if (s.winograd()) winograd_.run(from, to, Fused{});
        else direct_.run(from, to, Fused{});
    }

    // The output's gradient where a convolution of stride 1 without padding gives the input's: pixels `stride` apart,
    // zeros between and around.
    Images spread(const ConvShape& s, const Images& dy) {
        const Window& w = s.window;
        Images big{nullptr, dy.n, s.h + w.kh - 1, s.w + w.kw - 1, dy.channels, dy.stride};
        big.data = frame_.need(big.size());
        std::fill(big.data, big.data + big.size(), 0.f);
#pragma omp parallel for collapse(2) schedule(static)
        for (int n = 0; n < dy.n; n++)
            for (int i = 0; i < dy.h; i++)
                for (int j = 0; j < dy.w; j++) {
                    const int row = i * w.sh + w.kh - 1 - w.ph, column = j * w.sw + w.kw - 1 - w.pw;
                    if (row >= 0 && row < big.h && column >= 0 && column < big.w)
                        std::memcpy(big.pixel(n, row, column), dy.pixel(n, i, j), dy.stride * sizeof(float));
                }
        return big;
    }

    // Winograd: sums[place][out][in] += all tiles' products.
    void add_tiles(const ConvShape& s, const Images& x, const Images& dy, bool fresh) {
        float* sums = sums_.need(size_t(PLACES) * s.out * x.stride);
        const Tiling tiles(x.n, x.h, x.w, 4);
        for (int t = 0; t < tiles.count(); t += TILES)
            multiply_tiles(x, dy, tiles, t, std::min(TILES, tiles.count() - t), s.out, sums, fresh && t == 0);
    }
    // V and M lie [place][panel of channels][tile][PANEL]: read in order, for rows a power of two apart would all fight
    // for the same few lines of the cache.
    void multiply_tiles(const Images& x, const Images& dy, const Tiling& tiles, int first, int count, int rows,
                        float* sums, bool fresh) {
        const Panels in(x.stride), out(dy.stride);
        const int64_t panel = int64_t(TILES) * PANEL;
        const int64_t place_x = in.count * panel + SKEW, place_y = out.count * panel + SKEW;
        float* v = places_x_.need(PLACES * place_x);
        float* m = places_y_.need(PLACES * place_y);
#pragma omp parallel
        {
#pragma omp for schedule(static)
            for (int t = 0; t < count; t++) {
                const Spot spot = tiles.spot(first + t);
                for (int p = 0, c = 0; p < in.count; p++, c += PANEL)
                    tile_to_places(x, spot, c, std::min(c + PANEL, x.stride), zeros_.data(),
                                   v + p * panel + t * PANEL - c, place_x);
                for (int p = 0, c = 0; p < out.count; p++, c += PANEL)
                    gradient_to_places(dy, spot, c, std::min(c + PANEL, dy.stride), m + p * panel + t * PANEL - c,
                                       place_y);
            }
#pragma omp for collapse(3) schedule(static)
            for (int k = 0; k < PLACES; k++)
                for (int p = 0; p < in.count; p++)
                    for (int q = 0; q < out.count; q++)
                        outer_product(count, m + k * place_y + q * panel, PANEL, std::min(PANEL, rows - q * PANEL),
                                      v + k * place_x + p * panel, PANEL, in.vecs_of(p),
                                      sums + (size_t(k) * rows + q * PANEL) * x.stride + p * PANEL, x.stride, fresh);
        }
    }
    static void places_to_sums_of_kernels(const Vec u[PLACES], Vec g[9]) {
        Vec half[18];
        for (int q = 0; q < 6; q++) gather_weights(u + q * DOWN, half + q, 6);  // 3 x 6
        for (int r = 0; r < 3; r++) gather_weights(half + r * 6, g + r * 3, 1);
    }
    void places_to_weights(const ConvShape& s, float* dweight) const {
        const int in = padded(s.in);
#pragma omp parallel for schedule(static)
        for (int o = 0; o < s.out; o++)
            for (int c = 0; c < in; c += LANES) {
                Vec u[PLACES], g[9];
                for (int k = 0; k < PLACES; k++) u[k] = load(sums_.get() + (size_t(k) * s.out + o) * in + c);
                places_to_sums_of_kernels(u, g);
                for (int l = 0; l < std::min(LANES, s.in - c); l++)
                    for (int i = 0; i < 9; i++) dweight[(size_t(o) * s.in + c + l) * 9 + i] = g[i][l];
            }
    }

    // M = A e A^T of one tile's output gradient, channels [first, last); what sticks out of the image is zero.
    static void gradient_to_places(const Images& dy, const Spot& spot, int first, int last, float* to,
                                   int64_t place_stride) {
        for (int c = first; c < last; c += LANES) {
            Vec e[16], half[24], m[PLACES];
            for (int r = 0; r < 4; r++)
                for (int s = 0; s < 4; s++) {
                    const bool inside = spot.top + r < dy.h && spot.left + s < dy.w;
                    e[r * 4 + s] = inside ? load(dy.pixel(spot.image, spot.top + r, spot.left + s) + c) : Vec{};
                }
            for (int s = 0; s < 4; s++) spread_gradient(e + s, 4, half + s, 4);  // 6 x 4
            for (int r = 0; r < 6; r++) spread_gradient(half + r * 4, 1, m + r, DOWN);
            for (int k = 0; k < PLACES; k++) store(to + c + k * place_stride, m[k]);
        }
    }

    // Any window: sums[part][row of the kernel][place in the run][out] += run of x times dy, over a part of the images.
    void add_runs(const ConvShape& s, const Images& x, const Images& dy, bool fresh) {
        const int run = s.window.kw * x.stride, kh = s.window.kh, parts = std::min(PARTS, run_parts(s));
        const Panels panels(s.out);
        const size_t size = size_t(kh) * run * dy.stride;
        float* sums = sums_.need(parts * size);
        if (fresh) std::fill(sums, sums + parts * size, 0.f);
#pragma omp parallel for collapse(3) schedule(static)
        for (int part = 0; part < parts; part++)
            for (int u = 0; u < kh; u++)
                for (int p = 0; p < panels.count; p++)
                    for (int n = x.n * part / parts; n < x.n * (part + 1) / parts; n++)
                        for (int i = 0; i < dy.h; i++)
                            outer_product(dy.w, x.pixel(n, i * s.window.sh + u, 0), int64_t(s.window.sw) * x.stride,
                                          run, dy.pixel(n, i, 0) + p * PANEL, dy.stride, panels.vecs_of(p),
                                          sums + part * size + size_t(u) * run * dy.stride + p * PANEL, dy.stride,
                                          false);
    }
    // Many parts only where the sums are few: else the rows of the kernel and the panels occupy the threads.
    static int run_parts(const ConvShape& s) { return s.in * s.out <= 4096 ? PARTS : 1; }

    void runs_to_weights(const ConvShape& s, float* dweight) const {
        const int kh = s.window.kh, kw = s.window.kw, stride = s.stride, out = padded(s.out), parts = run_parts(s);
        const size_t size = size_t(kh) * kw * stride * out;
#pragma omp parallel for schedule(static)
        for (int o = 0; o < s.out; o++)
            for (int c = 0; c < s.in; c++)
                for (int u = 0; u < kh; u++)
                    for (int v = 0; v < kw; v++) {
                        double sum = 0;
                        for (int part = 0; part < parts; part++)
                            sum += sums_.get()[part * size + (size_t(u * kw + v) * stride + c) * out + o];
                        dweight[((size_t(o) * s.in + c) * kh + u) * kw + v] = float(sum);
                    }
    }

    static void add_pixels(const Images& dy, std::vector<double>& sums) {
        const int64_t pixels = int64_t(dy.n) * dy.h * dy.w;
#pragma omp parallel for schedule(static)
        for (int c = 0; c < dy.stride; c += LANES)
            for (int64_t p = 0; p < pixels;) {
                Vec sum{};  // in float over a stretch, in double over all
                for (const int64_t end = std::min(p + 1024, pixels); p < end; p++)
                    sum += load(dy.data + p * dy.stride + c);
                for (int l = 0; l < LANES; l++) sums[c + l] += sum[l];
            }
    }
};

}  // namespace crnn
