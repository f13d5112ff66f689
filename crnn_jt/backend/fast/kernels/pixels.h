// Layers that look at each pixel or window by itself: max pooling, scale and shift, sums, changes of layout.
#pragma once
#include "conv.h"

namespace crnn {

static inline void max_pool(const Images& x, const Window& w, const Images& y) {
    #pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < y.n; n++)
        for (int i = 0; i < y.h; i++)
            for (int j = 0; j < y.w; j++) {
                const int top = i * w.sh - w.ph, left = j * w.sw - w.pw;
                const int i0 = std::max(top, 0), i1 = std::min(top + w.kh, x.h);
                const int j0 = std::max(left, 0), j1 = std::min(left + w.kw, x.w);
                float* to = y.pixel(n, i, j);
                const float* best = x.pixel(n, i0, j0);  // then, from the first pixel on, the output itself
                for (int a = i0; a < i1; a++)
                    for (int b = j0; b < j1; b++, best = to) {
                        const float* other = x.pixel(n, a, b);
                        for (int c = 0; c < x.stride; c += LANES) store(to + c, max(load(best + c), load(other + c)));
                    }
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

// (N, C, H, W) as the caller has it -> pixels with their channels together, the rest of a pixel zero. In blocks of
// channels, so that the lines of the cache that a block touches are used up before they are dropped.
static inline void from_planes(const float* planes, const Images& y) {
    const int64_t area = int64_t(y.h) * y.w;
    #pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < y.n; n++)
        for (int i = 0; i < y.h; i++)
            for (int first = 0; first < y.stride; first += LANES) {
                const int last = std::min(first + LANES, y.stride), known = std::min(last, y.channels);
                const float* from = planes + int64_t(n) * y.channels * area + int64_t(i) * y.w;
                for (int j = 0; j < y.w; j++) {
                    float* to = y.pixel(n, i, j);
                    for (int c = first; c < known; c++) to[c] = from[c * area + j];
                    for (int c = known; c < last; c++) to[c] = 0.f;
                }
            }
}

// And back.
static inline void to_planes(const Images& x, float* planes) {
    const int64_t area = int64_t(x.h) * x.w;
    #pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < x.n; n++)
        for (int i = 0; i < x.h; i++)
            for (int first = 0; first < x.channels; first += LANES) {
                const int last = std::min(first + LANES, x.channels);
                float* to = planes + int64_t(n) * x.channels * area + int64_t(i) * x.w;
                for (int j = 0; j < x.w; j++) {
                    const float* from = x.pixel(n, i, j);
                    for (int c = first; c < last; c++) to[c * area + j] = from[c];
                }
            }
}

// Images (n, h, w) -> steps (w, batch, channels * h), feature c * h + row, into columns first..first+n of the batch.
static inline void to_steps(const Images& x, float* steps, int batch, int first) {
    const int features = x.channels * x.h;
    #pragma omp parallel for collapse(2) schedule(static)
    for (int j = 0; j < x.w; j++)
        for (int n = 0; n < x.n; n++) {
            float* to = steps + (int64_t(j) * batch + first + n) * features;
            for (int i = 0; i < x.h; i++) {
                const float* from = x.pixel(n, i, j);
                for (int c = 0; c < x.channels; c++) to[c * x.h + i] = from[c];
            }
        }
}

}  // namespace crnn
