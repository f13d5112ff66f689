// Layers of the frozen network on channels-last images (NHWC), one pixel or window at a time: max pooling, enlargement,
// scale and shift, sums, channels side by side; and the conversions between layouts.
#pragma once
#include "conv.h"

namespace crnn {

// Vectors V of values, from x.w x.h pixels at `from` to y's at `to`.
template <class V, class T>
static void max_pool(const T* from, const Images& x, const Window& w, T* to, const Images& y) {
    typedef V Unaligned __attribute__((aligned(1), may_alias));
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < y.n; n++)
        for (int i = 0; i < y.h; i++)
            for (int j = 0; j < y.w; j++) {
                const int top = i * w.sh - w.ph, left = j * w.sw - w.pw;
                const int i0 = std::max(top, 0), i1 = std::min(top + w.kh, x.h);
                const int j0 = std::max(left, 0), j1 = std::min(left + w.kw, x.w);
                T* own = to + (y.pixel(n, i, j) - y.data);
                const T* best = from + (x.pixel(n, i0, j0) - x.data);  // then, from the first pixel on, the output
                for (int a = i0; a < i1; a++)
                    for (int b = j0; b < j1; b++, best = own) {
                        const T* other = from + (x.pixel(n, a, b) - x.data);
                        for (int c = 0; c < x.stride; c += LANES) {
                            const V one = *(const Unaligned*)(best + c), two = *(const Unaligned*)(other + c);
                            *(Unaligned*)(own + c) = one > two ? one : two;
                        }
                    }
            }
}

// Every pixel becomes a block of down x along pixels of the same value.
static inline void upsample(const Images& x, int down, int along, const Images& y) {
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < x.n; n++)
        for (int i = 0; i < x.h; i++) {
            float *first = y.pixel(n, i * down, 0), *to = first;
            for (int j = 0; j < x.w; j++)
                for (int b = 0; b < along; b++, to += y.stride) copy_channels(x.pixel(n, i, j), x.stride, to);
            for (int a = 1; a < down; a++) std::copy(first, to, y.pixel(n, i * down + a, 0));
        }
}

// Each window of kh x kw pixels, which touch and do not overlap, becomes one pixel of all their channels, row by row.
static inline void fold(const Images& x, int kh, int kw, const Images& y) {
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < y.n; n++)
        for (int i = 0; i < y.h; i++)
            for (int j = 0; j < y.w; j++) {
                float* to = y.pixel(n, i, j);
                for (int a = 0; a < kh; a++)
                    for (int b = 0; b < kw; b++, to += x.channels)
                        std::copy_n(x.pixel(n, i * kh + a, j * kw + b), x.channels, to);
                std::fill(to, y.pixel(n, i, j) + y.stride, 0.f);
            }
}

// The mean of each window, over those of its pixels that lie in the image.
static inline void mean_pool(const Images& x, const Window& w, const Images& y) {
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < y.n; n++)
        for (int i = 0; i < y.h; i++)
            for (int j = 0; j < y.w; j++) {
                const int top = i * w.sh - w.ph, left = j * w.sw - w.pw;
                const int a0 = std::max(0, top), a1 = std::min(x.h, top + w.kh);
                const int b0 = std::max(0, left), b1 = std::min(x.w, left + w.kw);
                const float share = 1.f / (float(a1 - a0) * (b1 - b0));
                for (int c = 0; c < x.stride; c += LANES) {
                    Vec sum{};
                    for (int a = a0; a < a1; a++)
                        for (int b = b0; b < b1; b++) sum += load(x.pixel(n, a, b) + c);
                    store(y.pixel(n, i, j) + c, sum * share);
                }
            }
}

// Channel c of y is channel chosen[c] of x.
static inline void pick(const Images& x, const int* chosen, const Images& y) {
    const int64_t pixels = int64_t(y.n) * y.h * y.w;
#pragma omp parallel for schedule(static)
    for (int64_t p = 0; p < pixels; p++) {
        const float* from = x.data + p * x.stride;
        float* to = y.data + p * y.stride;
        for (int c = 0; c < y.channels; c++) to[c] = from[chosen[c]];
        std::fill(to + y.channels, to + y.stride, 0.f);
    }
}

// The channels of `count` images of one size, one after the other.
static inline void concat(const Images* x, int count, const Images& y) {
    const int64_t pixels = int64_t(y.n) * y.h * y.w;
#pragma omp parallel for schedule(static)
    for (int64_t p = 0; p < pixels; p++) {
        float *to = y.data + p * y.stride, *end = to + y.stride;
        for (int i = 0; i < count; to += x[i++].channels) copy_channels(x[i].data + p * x[i].stride, x[i].channels, to);
        std::fill(to, end, 0.f);
    }
}

// y = act(x * scale + shift), both per channel and padded with zeros.
static inline void affine(const Images& x, const float* scale, const float* shift, Act act, const Images& y) {
    const int64_t pixels = int64_t(x.n) * x.h * x.w;
#pragma omp parallel for schedule(static)
    for (int64_t p = 0; p < pixels; p++)
        for (int c = 0; c < x.stride; c += LANES) {
            const Vec value = load(x.data + p * x.stride + c) * load(scale + c) + load(shift + c);
            store(y.data + p * x.stride + c, activate(value, act));
        }
}

// y = act(x + addend); `addend` may be null.
static inline void add(const Images& x, const float* addend, Act act, const Images& y) {
    const int64_t vectors = int64_t(x.size()) / LANES;
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < vectors; i++) {
        Vec value = load(x.data + i * LANES);
        if (addend) value += load(addend + i * LANES);
        store(y.data + i * LANES, activate(value, act));
    }
}

static inline float scale_level(uint8_t level) { return float(level) * (1 / 127.5f) - 1.f; }

// (N, C, H, W) as the caller has it -> (N, H, W, stride), the padding of a pixel zero. In blocks of
// channels, so that the lines of the cache that a block touches are used up before they are dropped.
static inline void nchw_to_nhwc(const float* x, const Images& y) {
    const int64_t area = int64_t(y.h) * y.w;
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < y.n; n++)
        for (int i = 0; i < y.h; i++)
            for (int first = 0; first < y.stride; first += LANES) {
                const int last = std::min(first + LANES, y.stride), known = std::min(last, y.channels);
                const float* from = x + int64_t(n) * y.channels * area + int64_t(i) * y.w;
                for (int j = 0; j < y.w; j++) {
                    float* to = y.pixel(n, i, j);
                    for (int c = first; c < known; c++) to[c] = from[c * area + j];
                    for (int c = known; c < last; c++) to[c] = 0.f;
                }
            }
}

// Levels (N, rows, columns, C) of pictures -> the same in [-1, 1], zeros below and beside them.
static inline void levels_to_nhwc(const uint8_t* x, int rows, int columns, const Images& y) {
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < y.n; n++)
        for (int i = 0; i < y.h; i++) {
            float *to = y.pixel(n, i, 0), *end = to + size_t(y.w) * y.stride;
            const uint8_t* from = x + (size_t(n) * rows + i) * columns * y.channels;
            for (int j = 0; i < rows && y.stride > y.channels && j < columns; j++, to += y.stride) {
                for (int c = 0; c < y.channels; c++) to[c] = scale_level(*from++);
                std::fill(to + y.channels, to + y.stride, 0.f);
            }
            const int run = i < rows && y.stride == y.channels ? columns * y.channels : 0;
            for (int j = 0; j < run; j++) to[j] = scale_level(from[j]);
            std::fill(to + run, end, 0.f);
        }
}

// And back.
static inline void nhwc_to_nchw(const Images& x, float* y) {
    const int64_t area = int64_t(x.h) * x.w;
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < x.n; n++)
        for (int i = 0; i < x.h; i++)
            for (int first = 0; first < x.channels; first += LANES) {
                const int last = std::min(first + LANES, x.channels);
                float* to = y + int64_t(n) * x.channels * area + int64_t(i) * x.w;
                for (int j = 0; j < x.w; j++) {
                    const float* from = x.pixel(n, i, j);
                    for (int c = first; c < last; c++) to[c * area + j] = from[c];
                }
            }
}

// How maps become steps, or the network's answer: columns (w, batch, channels * h) with feature c * h + row, places row
// by row (h * w, batch, channels), or maps as they are, (batch, channels, h, w).
enum class Order : int { columns = 0, grid = 1, maps = 2 };

struct Steps {
    int count, features;
};

static inline Steps count_steps(const Images& x, Order order) {
    if (order == Order::grid) return {x.h * x.w, x.channels};
    return {x.w, x.channels * x.h};
}

// Images -> steps, into columns first..first+n of the batch.
static inline void to_steps(const Images& x, Order order, float* steps, int batch, int first) {
    const Steps size = count_steps(x, order);
    const int rows = order == Order::grid ? 1 : x.h;  // of a step
#pragma omp parallel for collapse(2) schedule(static)
    for (int t = 0; t < size.count; t++)
        for (int n = 0; n < x.n; n++) {
            float* to = steps + (int64_t(t) * batch + first + n) * size.features;
            if (rows == 1) copy_channels(x.pixel(n, 0, t), x.channels, to);
            for (int i = 0; rows > 1 && i < rows; i++) {
                const float* from = x.pixel(n, i, t);
                for (int c = 0; c < x.channels; c++) to[c * rows + i] = from[c];
            }
        }
}

// Steps (h * w, batch, channels), places row by row -> the images of columns first..first+n of the batch.
static inline void from_steps(const float* steps, int batch, int first, const Images& y) {
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < y.n; n++)
        for (int t = 0; t < y.h * y.w; t++) {
            float* to = y.pixel(n, 0, t);
            copy_channels(steps + (int64_t(t) * batch + first + n) * y.channels, y.channels, to);
            std::fill(to + y.channels, to + y.stride, 0.f);
        }
}

}  // namespace crnn
