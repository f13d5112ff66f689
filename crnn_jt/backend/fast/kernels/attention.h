// Attention between the pixels of maps, seen row by row as steps (Vaswani et al., "Attention is all you need", 2017),
// and what stands around it: normalisation and softmax over the channels of a pixel.
#pragma once
#include <cmath>
#include <vector>

#include "conv.h"

namespace crnn {

// The lanes from n on become `other`.
CRNN_INLINE Vec keep_lanes(Vec v, int n, Vec other) {
    alignas(64) static const int32_t NUMBERS[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    return *(const IntVec*)NUMBERS < n ? v : other;
}
CRNN_INLINE float sum_lanes(Vec v) {
    float sum = 0.f;
    for (int l = 0; l < LANES; l++) sum += v[l];
    return sum;
}
CRNN_INLINE float largest_lane(Vec v) {
    float largest = v[0];
    for (int l = 1; l < LANES; l++) largest = std::max(largest, v[l]);
    return largest;
}

// y = (x - mean) / sqrt(variance + eps) * weight + bias over `count` floats; weight and bias padded with zeros.
static inline void normalise(const float* x, int count, const float* weight, const float* bias, float eps, float* y) {
    const auto each = [&](const auto& term) {
        Vec sum{};
        for (int c = 0; c < count; c += LANES) sum += keep_lanes(term(load(x + c)), count - c, Vec{});
        return sum_lanes(sum) / count;
    };
    const float mean = each([](Vec v) { return v; });
    const float variance = each([=](Vec v) { return (v - mean) * (v - mean); });
    const Vec scale = splat(1.f / std::sqrt(variance + eps));
    for (int c = 0; c < count; c += LANES)
        store(y + c, (load(x + c) - mean) * scale * load(weight + c) + load(bias + c));
}

static inline void layer_norm(const Images& x, const float* weight, const float* bias, float eps, const Images& y) {
    const int64_t pixels = int64_t(x.n) * x.h * x.w;
#pragma omp parallel for schedule(static) if (x.size() > size_t(1) << 14)
    for (int64_t p = 0; p < pixels; p++)
        normalise(x.data + p * x.stride, x.channels, weight, bias, eps, y.data + p * y.stride);
}

// x becomes e^((x - largest) scale) / their sum, over `count` floats; whole vectors are written, zero from `count` on.
static inline void softmax(float* x, int count, float scale) {
    const Vec lowest = splat(-3e38f);
    Vec top = lowest, sum{};
    for (int c = 0; c < count; c += LANES) top = max(top, keep_lanes(load(x + c), count - c, lowest));
    const float largest = largest_lane(top);
    for (int c = 0; c < count; c += LANES) {
        const Vec share = keep_lanes(exp((load(x + c) - largest) * scale), count - c, Vec{});
        store(x + c, share);
        sum += share;
    }
    const Vec part = splat(1.f / sum_lanes(sum));
    for (int c = 0; c < count; c += LANES) store(x + c, load(x + c) * part);
}

// Over the channels of every pixel.
static inline void softmax(const Images& x, const Images& y) {
    const int64_t pixels = int64_t(x.n) * x.h * x.w;
#pragma omp parallel for schedule(static) if (x.size() > size_t(1) << 14)
    for (int64_t p = 0; p < pixels; p++) {
        float* to = y.data + p * y.stride;
        std::copy_n(x.data + p * x.stride, x.stride, to);
        softmax(to, x.channels, 1.f);
    }
}

// Some channels, from `first` on, of every pixel of a map: the queries, keys or values of all heads.
struct Heads {
    const float* data;
    int steps, stride;
    const float* of(int image, int head, int width) const {
        return data + int64_t(image) * steps * stride + head * width;
    }
};

class Attention {
  public:
    Attention(int heads, int features, float scale, bool diagonal)
        : heads_(heads), width_(features / heads), scale_(scale), diagonal_(diagonal) {}

    // What each query sees, into y (n, .., queries, features). `lengths`: one pixel an image, how many steps of the
    // memory count; null where all do. With `diagonal` query t does not see step t.
    void run(const Heads& queries, const Heads& keys, const Heads& values, const Images* lengths, const Images& y) {
        const Panels across(keys.steps), along(width_);
        const size_t scores = size_t(queries.steps) * across.columns(), packed = size_t(width_) * across.columns();
        const size_t sums = size_t(keys.steps) * along.columns(), part = size_t(queries.steps) * along.columns();
        const size_t scratch = round_up(int(scores + packed + sums + part), LINE) + LINE;
        float* all = scratch_.need(threads() * scratch);
        const double work = 2. * y.n * queries.steps * keys.steps * heads_ * width_;
#pragma omp parallel for collapse(2) schedule(static) if (work > SMALL)
        for (int n = 0; n < y.n; n++)
            for (int h = 0; h < heads_; h++) {
                float* s = all + omp_get_thread_num() * scratch;
                float *k = s + scores, *v = k + packed, *out = v + sums;
                const int known = lengths ? int(lengths->pixel(n, 0, 0)[0]) : keys.steps;
                const float *key = keys.of(n, h, width_), *value = values.of(n, h, width_);
                pack(
                    across, keys.steps, width_, [&](int o, int d) { return key[int64_t(o) * keys.stride + d]; }, k);
                pack(
                    along, width_, keys.steps, [&](int o, int t) { return value[int64_t(t) * values.stride + o]; }, v);
                product(across, queries.steps, {queries.of(n, h, width_), queries.stride, width_}, k, s);
                for (int t = 0; t < queries.steps; t++) weigh(s + int64_t(t) * across.columns(), t, known, keys.steps);
                product(along, queries.steps, {s, across.columns(), keys.steps}, v, out);
                for (int t = 0; t < queries.steps; t++)
                    copy_channels(out + int64_t(t) * along.columns(), width_, y.pixel(n, 0, t) + h * width_);
            }
    }

  private:
    static constexpr double SMALL = 1 << 16;  // multiplications that one thread does sooner than two agree on them

    int heads_, width_;
    float scale_;
    bool diagonal_;
    Buffer scratch_;

    template <class Weight>
    static void pack(const Panels& panels, int columns, int depth, const Weight& weight, float* to) {
        for (int p = 0; p < panels.count; p++)
            pack_panel(panels, p, columns, depth, weight, to + size_t(p) * PANEL * depth);
    }
    static void product(const Panels& panels, int rows, const Source& in, const float* weights, float* to) {
        for (int p = 0; p < panels.count; p++)
            panel_product(rows, in, weights + size_t(p) * PANEL * in.depth, panels.vecs_of(p),
                          {to + p * PANEL, panels.columns()});
    }
    // Scores of one query -> shares; what it may not see gets none.
    void weigh(float* scores, int query, int known, int steps) const {
        if (diagonal_ && query < known) scores[query] = -3e38f;
        softmax(scores, known, scale_);
        std::fill(scores + known, scores + steps, 0.f);
    }
};

}  // namespace crnn
