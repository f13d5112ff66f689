// Convolution as it is defined, for every kernel, stride and padding; bias, addend, activation and max pooling fused.
//
// Images are channels-last, (N, H, W, stride): the channels of a pixel lie together. The pixels under one row of the
// kernel are then one run of kw*stride floats, so a convolution is a product whose rows are output pixels and whose
// depth is kh runs. Padding is made by copying the images into a frame of zeros first: the inner loop has no edge to
// look at.
#pragma once
#include <vector>

#include "gemm.h"

namespace crnn {

// A batch of channels-last images in memory; `stride` floats a pixel, of which the first `channels` count and the rest
// are finite and multiplied by zero.
struct Images {
    float* data;
    int n, h, w, channels, stride;
    bool rounded = false;  // the values are levels (int8.h) in place of floats
    float* pixel(int image, int i, int j) const { return data + ((size_t(image) * h + i) * w + j) * stride; }
    size_t size() const { return size_t(n) * h * w * stride; }
};

// Images `first` and on, `count` of them.
CRNN_INLINE Images some(Images images, int first, int count) {
    images.data = images.pixel(first, 0, 0);
    images.n = count;
    return images;
}

// Channels of one pixel, no more of them; whole vectors first.
CRNN_INLINE void copy_channels(const float* from, int channels, float* to) {
    int c = 0;
    for (; c + LANES <= channels; c += LANES) store(to + c, load(from + c));
    for (; c < channels; c++) to[c] = from[c];
}

struct Window {
    int kh = 1, kw = 1, sh = 1, sw = 1, ph = 0, pw = 0;
    // How many windows fit; 0 where not even one does.
    int out_h(int h) const { return h + 2 * ph < kh ? 0 : (h + 2 * ph - kh) / sh + 1; }
    int out_w(int w) const { return w + 2 * pw < kw ? 0 : (w + 2 * pw - kw) / sw + 1; }
};

// What is fused into a convolution; `pool_h` x `pool_w` is a max pooling whose windows touch but do not overlap.
struct Fused {
    Act act = Act::none;
    int pool_h = 1, pool_w = 1;
    const float* addend = nullptr;  // laid out as the output; never together with pooling
    bool pools() const { return pool_h > 1 || pool_w > 1; }
};

// The floats of the images in a frame of zeros, `top` pixels above and below, `side` left and right; 0 without one.
static inline size_t frame_size(const Images& x, int top, int side) {
    return top || side ? size_t(x.n) * (x.h + 2 * top) * (x.w + 2 * side) * x.stride : 0;
}

// Copies the images into such a frame in `memory`.
static inline Images add_frame(const Images& x, int top, int side, float* memory) {
    if (!top && !side) return x;
    Images big = x;
    big.h += 2 * top;
    big.w += 2 * side;
    big.data = memory;
    const size_t row = size_t(big.w) * big.stride, edge = size_t(side) * big.stride;
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < x.n; n++)
        for (int i = 0; i < big.h; i++) {
            float* to = big.pixel(n, i, 0);
            const int from = i - top;
            if (from < 0 || from >= x.h) {
                std::fill(to, to + row, 0.f);
                continue;
            }
            std::fill(to, to + edge, 0.f);
            std::memcpy(to + edge, x.pixel(n, from, 0), size_t(x.w) * x.stride * sizeof(float));
            std::fill(to + row - edge, to + row, 0.f);
        }
    return big;
}
static inline Images add_frame(const Images& x, int top, int side, Buffer& memory) {
    return add_frame(x, top, side, memory.need(frame_size(x, top, side)));
}

class DirectConv {
  public:
    // weight(o, c, i) gives kernel (o, c)'s i-th value, row by row; `stride` is that of the images it will be given.
    template <class Weight>
    void pack(int out, int in, int stride, const Window& window, const Weight& weight, const float* bias) {
        frame_h_ = window.ph;
        frame_w_ = window.pw;
        window_ = window;
        window_.ph = window_.pw = 0;  // the frame stands for the padding
        const int kh = window.kh, kw = window.kw, pixel = kw == 1 ? in : stride, run = kw * pixel;
        run_ = run;
        weights_.pack(
            out, kh * run,
            [=](int o, int k) {
                const int u = k / run, v = k % run / pixel, c = k % run % pixel;
                return c < in ? weight(o, c, u * kw + v) : 0.f;
            },
            bias);
    }
    bool packed() const { return !weights_.empty(); }

    // y: (n, out_h / pool_h, out_w / pool_w, padded(out)); `frame` as large as `frame_size` says, or its own memory.
    void run(const Images& x, const Images& y, const Fused& fused) {
        run(x, y, fused, frame_.need(frame_size(x, frame_h_, frame_w_)));
    }
    void run(Images x, const Images& y, const Fused& fused, float* frame) {
        x = add_frame(x, frame_h_, frame_w_, frame);
        const int rows = window_.out_h(x.h), width = window_.out_w(x.w);
        if (fused.pools()) run_pooled(x, y, fused, rows / fused.pool_h, width);
        else if (flat()) run_flat(x, y, fused);
        else run_plain(x, y, fused, rows, width);
    }

  private:
    Window window_;                  // on framed images
    int frame_h_ = 0, frame_w_ = 0;  // pixels of zeros around an image
    int run_ = 0;                    // floats that count under a row of the kernel
    Packed weights_;
    Buffer frame_, rows_;

    bool flat() const {
        const Window& w = window_;
        return w.kh == 1 && w.kw == 1 && w.sh == 1 && w.sw == 1 && !frame_h_ && !frame_w_;
    }
    // What a row of outputs is made of, from row `first` of the kernel on: those that lie in the frame would add zeros.
    struct Rows {
        Source source;
        size_t first;  // floats of weights before that row, for each column
    };
    Rows rows_under(const Images& x, int image, int row) const {
        const int top = row * window_.sh, first = std::clamp(frame_h_ - top, 0, window_.kh - 1);
        const int last = std::clamp(x.h - frame_h_ - top, first + 1, window_.kh);
        const int64_t next = int64_t(x.w) * x.stride;
        return {{x.pixel(image, top + first, 0), int64_t(window_.sw) * x.stride, run_, last - first, next},
                size_t(first) * run_};
    }
    // A 1x1 convolution does not care where a row of pixels ends, nor an image: its pixels are shared out in blocks.
    void run_flat(const Images& x, const Images& y, const Fused& fused) {
        const Panels& panels = weights_.panels();
        const int rows = x.n * x.h * x.w, share = panels.count < threads() ? (rows + threads() - 1) / threads() : rows;
        const int block = std::clamp(share, TILE_ROWS, BLOCK), blocks = (rows + block - 1) / block;
#pragma omp parallel for collapse(2) schedule(static) if (double(rows) * run_ * panels.columns() > SMALL)
        for (int b = 0; b < blocks; b++)
            for (int p = 0; p < panels.count; p++) {
                const int first = b * block, count = std::min(block, rows - first);
                const int64_t at = int64_t(first) * y.stride + p * PANEL;
                panel_product(
                    count, {x.data + int64_t(first) * x.stride, x.stride, run_}, weights_.panel(p), panels.vecs_of(p),
                    {y.data + at, y.stride, weights_.bias(p), fused.addend ? fused.addend + at : nullptr, fused.act});
            }
    }
    static constexpr int BLOCK = 192;         // pixels that stay in the second-level cache from panel to panel
    static constexpr double SMALL = 1 << 17;  // multiplications that one thread does sooner than two agree on them
    void run_plain(const Images& x, const Images& y, const Fused& fused, int rows, int width) {
        const Panels& panels = weights_.panels();
#pragma omp parallel for collapse(3) schedule(static)
        for (int p = 0; p < panels.count; p++)
            for (int n = 0; n < x.n; n++)
                for (int i = 0; i < rows; i++) {
                    const int64_t at = (int64_t(n) * rows + i) * width * y.stride + p * PANEL;
                    const Target to{y.data + at, y.stride, weights_.bias(p), fused.addend ? fused.addend + at : nullptr,
                                    fused.act};
                    const Rows from = rows_under(x, n, i);
                    const int vecs = panels.vecs_of(p);
                    panel_product(width, from.source, weights_.panel(p) + from.first * vecs * LANES, vecs, to);
                }
    }
    // The rows under one row of pooling windows go to a scratch that stays in the cache, and from there to y.
    void run_pooled(const Images& x, const Images& y, const Fused& fused, int rows, int width) {
        const Panels& panels = weights_.panels();
        const size_t scratch = size_t(fused.pool_h) * width * PANEL;
        float* all = rows_.need(threads() * scratch);
#pragma omp parallel for collapse(3) schedule(static)
        for (int p = 0; p < panels.count; p++)
            for (int n = 0; n < x.n; n++)
                for (int i = 0; i < rows; i++) {
                    float* part = all + omp_get_thread_num() * scratch;
                    const int vecs = panels.vecs_of(p);
                    for (int r = 0; r < fused.pool_h; r++) {
                        const Rows from = rows_under(x, n, i * fused.pool_h + r);
                        panel_product(width, from.source, weights_.panel(p) + from.first * vecs * LANES, vecs,
                                      {part + size_t(r) * width * PANEL, PANEL, weights_.bias(p), nullptr, fused.act});
                    }
                    pool_rows(part, width, panels.vecs_of(p), fused, y.pixel(n, i, 0) + p * PANEL, y);
                }
    }
    static void pool_rows(const float* part, int width, int vecs, const Fused& fused, float* to, const Images& y) {
        for (int j = 0; j < y.w; j++)
            for (int v = 0; v < vecs; v++) {
                const float* from = part + size_t(j) * fused.pool_w * PANEL + v * LANES;
                Vec best = load(from);
                for (int a = 0; a < fused.pool_h; a++)
                    for (int b = 0; b < fused.pool_w; b++)
                        best = max(best, load(from + (size_t(a) * width + b) * PANEL));
                store(to + size_t(j) * y.stride + v * LANES, best);
            }
    }
};

}  // namespace crnn
