// The gradients of a depthwise convolution.
//
// At the input: with stride 1 it is a depthwise convolution again, the kernel rotated by 180 degrees; with more, one
// for every place that a pixel can have relative to the stride, each with the values of the kernel that meet such
// pixels.
#pragma once
#include "depthwise.h"

namespace crnn {

class DepthwiseInputGrad {
  public:
    void pack(int channels, const Window& window, const float* weight) {
        const Window& w = window_ = window;
        parts_ = std::vector<DepthwiseConv>(w.sh * w.sw);
        std::vector<float> own(size_t(channels) * w.kh * w.kw);
        for (int a = 0; a < w.sh; a++)
            for (int b = 0; b < w.sw; b++) {
                const Axis down(a, w.kh, w.sh, w.ph), along(b, w.kw, w.sw, w.pw);
                if (!down.taps || !along.taps) continue;
                float* to = own.data();
                for (int c = 0; c < channels; c++)
                    for (int u = down.taps - 1; u >= 0; u--)
                        for (int v = along.taps - 1; v >= 0; v--)
                            *to++ = weight[(size_t(c) * w.kh + a + w.sh * u) * w.kw + b + w.sw * v];
                const Window part{down.taps, along.taps, 1, 1, down.padding, along.padding};
                parts_[a * w.sw + b].pack(channels, part, own.data(), nullptr);
            }
    }

    void run(const Images& dy, const Images& dx) const {
        const Window& w = window_;
        const int64_t row = int64_t(dx.w) * dx.stride;
        if (w.kh < w.sh || w.kw < w.sw) std::fill(dx.data, dx.data + dx.size(), 0.f);  // pixels that nobody looked at
        for (int a = 0; a < w.sh; a++)
            for (int b = 0; b < w.sw; b++) {
                const Axis down(a, w.kh, w.sh, w.ph), along(b, w.kw, w.sw, w.pw);
                const int rows = down.count(dx.h), columns = along.count(dx.w);
                if (!down.taps || !along.taps || !rows || !columns) continue;
                const Grid to(dx.pixel(0, down.first, along.first), dx.n, rows, columns, dx.stride, dx.h * row,
                              w.sh * row, int64_t(w.sw) * dx.stride);
                parts_[a * w.sw + b].run(dy, Act::none, to);
            }
    }

  private:
    // The pixels i with (i + padding) % stride == place: they meet values place, place + stride, … of the kernel.
    struct Axis {
        int taps, first, padding, stride;  // values; the first such pixel; padding of the convolution over dy
        Axis(int place, int kernel, int stride, int pad)
            : taps((kernel - place + stride - 1) / stride),
              first(((place - pad) % stride + stride) % stride),
              padding(taps - 1 - (first + pad - place) / stride),
              stride(stride) {}
        int count(int size) const { return first < size ? (size - first + stride - 1) / stride : 0; }
    };
    Window window_;
    std::vector<DepthwiseConv> parts_;
};

// sums [kh * kw][stride] += over the pixels of dy of x under each value of the kernel, times dy.
class DepthwiseWeightGrad {
  public:
    DepthwiseWeightGrad(const Window& window, const Images& x, const Images& dy, float* sums)
        : window_(window), x_(x), dy_(dy), sums_(sums) {}

    void run() const {
        const Window& w = window_;
        const int room = x_.w + w.pw - w.kw, left = std::min((w.pw + w.sw - 1) / w.sw, dy_.w);
        const int right = std::clamp(room < 0 ? 0 : room / w.sw + 1, left, dy_.w);  // between them none sticks out
        for (int n = 0; n < dy_.n; n++)
            for (int i = 0; i < dy_.h; i++) {
                for (int j = 0; j < left; j++) border(n, i, j);
                for (int j = left; j < right; j += CHUNK) inner(n, i, j, std::min(CHUNK, right - j));
                for (int j = right; j < dy_.w; j++) border(n, i, j);
            }
    }

  private:
    static constexpr int CHUNK = 32;  // pixels that stay in the first-level cache from row to row of the kernel
    static constexpr int ROW = 5;     // values of a row of the kernel that are summed together

    Window window_;
    Images x_, dy_;
    float* sums_;

    void border(int n, int i, int j) const {
        const Window& w = window_;
        const int top = i * w.sh - w.ph, left = j * w.sw - w.pw;
        for (int u = std::max(0, -top); u < std::min(w.kh, x_.h - top); u++)
            for (int v = std::max(0, -left); v < std::min(w.kw, x_.w - left); v++) {
                const float *x = x_.pixel(n, top + u, left + v), *dy = dy_.pixel(n, i, j);
                float* to = sums_ + (u * w.kw + v) * x_.stride;
                for (int c = 0; c < x_.stride; c += LANES) store(to + c, load(to + c) + load(x + c) * load(dy + c));
            }
    }
    void inner(int n, int i, int j, int count) const {
        int c = 0;
        for (; c + 2 * LANES <= x_.stride; c += 2 * LANES) channels<2>(n, i, j, count, c);
        for (; c < x_.stride; c += LANES) channels<1>(n, i, j, count, c);
    }
    template <int V>
    void channels(int n, int i, int j, int count, int c) const {
        const Window& w = window_;
        const int top = i * w.sh - w.ph, left = j * w.sw - w.pw;
        for (int u = std::max(0, -top); u < std::min(w.kh, x_.h - top); u++)
            for (int v = 0; v < w.kw; v += ROW)
                row_of<V>(std::min(ROW, w.kw - v), count, x_.pixel(n, top + u, left + v) + c, w.sw * x_.stride,
                          x_.stride, dy_.pixel(n, i, j) + c, dy_.stride, sums_ + (u * w.kw + v) * x_.stride + c);
    }

    // A table of functions would be one for all libraries of a process.
    template <int V>
    static void row_of(int taps, int count, const float* x, int step, int tap, const float* dy, int dy_step,
                       float* sums) {
        switch (taps) {
            case 1: return row<1, V>(count, x, step, tap, dy, dy_step, sums);
            case 2: return row<2, V>(count, x, step, tap, dy, dy_step, sums);
            case 3: return row<3, V>(count, x, step, tap, dy, dy_step, sums);
            case 4: return row<4, V>(count, x, step, tap, dy, dy_step, sums);
            case 5: return row<5, V>(count, x, step, tap, dy, dy_step, sums);
        }
    }
    // K values of the kernel, V vectors of channels: the next pixel is `step` floats on, the next value `tap`.
    template <int K, int V>
    static __attribute__((noinline)) void row(int count, const float* x, int step, int tap, const float* dy,
                                              int dy_step, float* sums) {
        Vec sum[K][V];
#pragma GCC unroll 8
        for (int k = 0; k < K; k++)
#pragma GCC unroll 2
            for (int v = 0; v < V; v++) sum[k][v] = load(sums + k * tap + v * LANES);
        for (int j = 0; j < count; j++, x += step, dy += dy_step) {
            Vec slope[V];
#pragma GCC unroll 2
            for (int v = 0; v < V; v++) slope[v] = load(dy + v * LANES);
#pragma GCC unroll 8
            for (int k = 0; k < K; k++)
#pragma GCC unroll 2
                for (int v = 0; v < V; v++) sum[k][v] += slope[v] * load(x + k * tap + v * LANES);
        }
#pragma GCC unroll 8
        for (int k = 0; k < K; k++)
#pragma GCC unroll 2
            for (int v = 0; v < V; v++) store(sums + k * tap + v * LANES, sum[k][v]);
    }
};

}  // namespace crnn
