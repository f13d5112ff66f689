// Layers that train on images in Jittor's own layout, (N, C, H, W): batch normalisation, max pooling, ReLU.
//
// Jittor builds both from elementwise operators and reductions, each a pass over memory; here a channel (or plane)
// stays in the cache from its first pass to its last.
#pragma once
#include <cmath>
#include <limits>

#include "conv.h"

namespace crnn {

struct NchwShape {
    int n, channels;
    int64_t area;
    int64_t at(int image, int channel) const { return (int64_t(image) * channels + channel) * area; }
    double count() const { return double(n) * area; }
};

static inline double sum_of(const float* x, int64_t count) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++) sum += x[i];
    return sum;
}

// sum of (a - shift) * b
static inline double sum_of_products(const float* a, float shift, const float* b, float b_shift, int64_t count) {
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++) sum += (a[i] - shift) * (b[i] - b_shift);
    return sum;
}

// y = (x - mean) / sqrt(var + eps) * weight + bias, mean and (biased) variance of each channel over the batch.
static inline void batch_norm(const NchwShape& s, const float* x, const float* weight, const float* bias, double eps,
                              float* y, float* mean, float* var) {
#pragma omp parallel for schedule(static)
    for (int c = 0; c < s.channels; c++) {
        double sum = 0, squares = 0;
        for (int n = 0; n < s.n; n++) sum += sum_of(x + s.at(n, c), s.area);
        const float m = float(sum / s.count());
        for (int n = 0; n < s.n; n++) squares += sum_of_products(x + s.at(n, c), m, x + s.at(n, c), m, s.area);
        mean[c] = m;
        var[c] = float(squares / s.count());
        const float scale = float(weight[c] / std::sqrt(var[c] + eps)), shift = bias[c] - m * scale;
        for (int n = 0; n < s.n; n++) {
            const float* from = x + s.at(n, c);
            float* to = y + s.at(n, c);
            for (int64_t i = 0; i < s.area; i++) to[i] = from[i] * scale + shift;
        }
    }
}

// dx = weight / deviation * (dy - mean(dy) - normalised x * mean(dy * normalised x))
static inline void batch_norm_gradient(const NchwShape& s, const float* x, const float* dy, const float* weight,
                                       const float* mean, const float* var, double eps, float* dx, float* dweight,
                                       float* dbias) {
#pragma omp parallel for schedule(static)
    for (int c = 0; c < s.channels; c++) {
        double sum = 0, products = 0;
        for (int n = 0; n < s.n; n++) {
            sum += sum_of(dy + s.at(n, c), s.area);
            products += sum_of_products(x + s.at(n, c), mean[c], dy + s.at(n, c), 0.f, s.area);
        }
        const double inverse = 1 / std::sqrt(var[c] + eps);
        dbias[c] = float(sum);
        dweight[c] = float(products * inverse);
        const float scale = float(weight[c] * inverse);
        const float slope = float(-scale * products * inverse * inverse / s.count());
        const float shift = float(-scale * sum / s.count()) - slope * mean[c];
        for (int n = 0; n < s.n; n++) {
            const float *from = dy + s.at(n, c), *at = x + s.at(n, c);
            float* to = dx + s.at(n, c);
            for (int64_t i = 0; i < s.area; i++) to[i] = from[i] * scale + at[i] * slope + shift;
        }
    }
}

// y (planes, out_h, out_w) and, for each, the place in the plane that won (exact as a float: planes are smaller than
// 2^24).
static inline void max_pool_nchw(int64_t planes, int h, int w, const Window& window, const float* x, float* y,
                                 float* places) {
    const int oh = window.out_h(h), ow = window.out_w(w);
#pragma omp parallel for schedule(static)
    for (int64_t p = 0; p < planes; p++)
        for (int i = 0; i < oh; i++)
            for (int j = 0; j < ow; j++) {
                const int top = i * window.sh - window.ph, left = j * window.sw - window.pw;
                const int a1 = std::min(top + window.kh, h), b1 = std::min(left + window.kw, w);
                const float* plane = x + p * h * w;
                float best = -std::numeric_limits<float>::infinity();
                int place = std::max(top, 0) * w + std::max(left, 0);
                for (int a = std::max(top, 0); a < a1; a++)
                    for (int b = std::max(left, 0); b < b1; b++)
                        if (plane[a * w + b] > best) {
                            best = plane[a * w + b];
                            place = a * w + b;
                        }
                const int64_t at = (p * oh + i) * ow + j;
                y[at] = best;
                places[at] = float(place);
            }
}

static inline void max_pool_gradient(int64_t planes, int64_t in_area, int64_t out_area, const float* dy,
                                     const float* places, float* dx) {
#pragma omp parallel for schedule(static)
    for (int64_t p = 0; p < planes; p++) {
        float* to = dx + p * in_area;
        std::fill(to, to + in_area, 0.f);
        for (int64_t i = p * out_area; i < (p + 1) * out_area; i++) to[int64_t(places[i])] += dy[i];
    }
}

// y = max(x, 0); its gradient passes where y is positive.
static inline void relu(int64_t count, const float* x, float* y) {
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < count; i++) y[i] = x[i] > 0.f ? x[i] : 0.f;
}
static inline void relu_gradient(int64_t count, const float* dy, const float* y, float* dx) {
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < count; i++) dx[i] = y[i] > 0.f ? dy[i] : 0.f;
}

}  // namespace crnn
