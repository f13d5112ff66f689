// An optimiser step over all of a model's arrays at once: their squares' sum, Adam, averages.
//
// The arrays are cut into stretches that the threads share out; a sum is made stretch by stretch, then in their order.
#pragma once
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace crnn {

// A stretch of one array.
struct Stretch {
    int array;
    int64_t first, last;
};

// Cuts `count` arrays of `sizes` floats.
static inline std::vector<Stretch> stretches(int count, const int64_t* sizes) {
    constexpr int64_t LONGEST = 1 << 14;
    std::vector<Stretch> cut;
    for (int k = 0; k < count; k++)
        for (int64_t i = 0; i < sizes[k]; i += LONGEST) cut.push_back({k, i, std::min(i + LONGEST, sizes[k])});
    return cut;
}

static inline float sum_of_squares(int count, const int64_t* sizes, const float* const* arrays) {
    const std::vector<Stretch> all = stretches(count, sizes);
    std::vector<float> sums(all.size());
#pragma omp parallel for schedule(static)
    for (size_t k = 0; k < all.size(); k++) {
        const float* x = arrays[all[k].array];
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = all[k].first; i < all[k].last; i++) sum += x[i] * x[i];
        sums[k] = sum;
    }
    double sum = 0;
    for (float part : sums) sum += part;
    return float(sum);
}

// Kingma and Ba, "Adam" (2015), with decay added to the gradient; or decoupled, `keep` times the weight (Loshchilov and
// Hutter, "Decoupled weight decay regularization", 2019). Gradients count `scale` times.
struct Adam {
    float keep, decay, first, first_rest, second, second_rest, rate;  // rests: 1 - first, 1 - second
    float correction;                                                 // 1 / (1 - second^steps)
    float scale;
};

// Arrays of each parameter: p, g, m, v in; p, m, v out.
static inline void adam(const Adam& a, int count, const int64_t* sizes, const float* const* in, float* const* out) {
    const std::vector<Stretch> all = stretches(count, sizes);
#pragma omp parallel for schedule(static)
    for (size_t k = 0; k < all.size(); k++) {
        const float* const* from = in + 4 * all[k].array;
        float* const* to = out + 3 * all[k].array;
        const float *p = from[0], *g = from[1], *m = from[2], *v = from[3];
        float *new_p = to[0], *new_m = to[1], *new_v = to[2];
#pragma omp simd
        for (int64_t i = all[k].first; i < all[k].last; i++) {
            const float slope = g[i] * a.scale + p[i] * a.decay;
            new_m[i] = m[i] * a.first + slope * a.first_rest;
            new_v[i] = v[i] * a.second + slope * slope * a.second_rest;
            new_p[i] = p[i] * a.keep - new_m[i] / (std::sqrt(new_v[i] * a.correction) + 1e-8f) * a.rate;
        }
    }
}

// out = average * decay + value * share; arrays of each: average, value in.
static inline void average(float decay, float share, int count, const int64_t* sizes, const float* const* in,
                           float* const* out) {
    const std::vector<Stretch> all = stretches(count, sizes);
#pragma omp parallel for schedule(static)
    for (size_t k = 0; k < all.size(); k++) {
        const float *mean = in[2 * all[k].array], *value = in[2 * all[k].array + 1];
        float* to = out[all[k].array];
#pragma omp simd
        for (int64_t i = all[k].first; i < all[k].last; i++) to[i] = mean[i] * decay + value[i] * share;
    }
}

}  // namespace crnn
