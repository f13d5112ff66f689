// The loss of connectionist temporal classification and its gradient at the logits at once: softmax, forward and
// backward sums over the alignments (Graves et al., ICML 2006, section 4), in logarithms of doubles.
#pragma once
#include <algorithm>
#include <cmath>
#include <vector>

#include "simd.h"

namespace crnn {

struct Labels {
    int steps, batch, classes, longest;
    const int64_t *lengths, *sizes, *targets;  // (batch,), (batch,), (batch, longest)
};

static inline float largest_of(const float* row, int n) {
    float largest = row[0];
    for (int k = 1; k < n; k++) largest = std::max(largest, row[k]);
    return largest;
}

// out = softmax(row); returns the logarithm of the sum of e^row. `row` and `out` may be one.
static inline float softmax(const float* row, int n, float* out) {
    const float largest = largest_of(row, n);
    const int whole = n / LANES * LANES;
    Vec sums{};
    for (int k = 0; k < whole; k += LANES) {
        const Vec value = exp(load(row + k) - largest);
        sums += value;
        store(out + k, value);
    }
    float sum = 0;
    for (int i = 0; i < LANES; i++) sum += sums[i];
    for (int k = whole; k < n; k++) sum += out[k] = std::exp(row[k] - largest);
    for (int k = 0; k < n; k++) out[k] /= sum;
    return largest + std::log(sum);
}

// One sample: places 0 … 2·size are blank, first symbol, blank, … , last symbol, blank.
class Alignment {
  public:
    // Returns -log p (infinite where the steps cannot hold the label) and fills gradient (steps, classes), rows
    // `stride` apart as those of the logits; zero after the sample's own `length`.
    float run(const Labels& all, int n, const float* logits, float* gradient) {
        const int64_t stride = int64_t(all.batch) * all.classes;
        length_ = int(all.lengths[n]);
        target_ = all.targets + int64_t(n) * all.longest;
        places_ = 2 * int(all.sizes[n]) + 1;
        for (int t = length_; t < all.steps; t++) std::fill_n(gradient + t * stride, all.classes, 0.f);
        emissions(logits, gradient, stride, all.classes);
        const double found = forward();
        if (found <= NEVER / 2) {
            for (int t = 0; t < length_; t++) std::fill_n(gradient + t * stride, all.classes, 0.f);
            return INFINITY;
        }
        backward(found, gradient, stride);
        return float(-found);
    }

  private:
    static constexpr double NEVER = -1e30;  // a finite stand-in for log 0

    int length_ = 0, places_ = 0;
    const int64_t* target_ = nullptr;
    std::vector<double> emitted_;                // log p of a place's symbol
    std::vector<double> before_, after_, next_;  // of what leads to it, of what follows

    int symbol(int place) const { return place % 2 ? int(target_[place / 2]) : 0; }
    bool leaps(int place) const { return place > 2 && place % 2 && symbol(place) != symbol(place - 2); }

    // log(e^a + e^b + e^c); what is e^40 times smaller than the largest would be lost in a double's rounding anyway.
    static double sum(double a, double b, double c) {
        if (a < b) std::swap(a, b);
        if (a < c) std::swap(a, c);
        const double second = b - a > -40 ? std::exp(b - a) : 0, third = c - a > -40 ? std::exp(c - a) : 0;
        return second + third > 0 && a > NEVER / 2 ? a + std::log1p(second + third) : a;
    }

    void emissions(const float* logits, float* gradient, int64_t stride, int classes) {
        emitted_.resize(size_t(length_) * places_);
        for (int t = 0; t < length_; t++) {
            const float* row = logits + t * stride;
            const float total = softmax(row, classes, gradient + t * stride);
            for (int s = 0; s < places_; s++) emitted_[size_t(t) * places_ + s] = double(row[symbol(s)]) - total;
        }
    }

    // before_[t][s]: log p of all alignments of steps 0 … t that end in place s. Returns log p of the label.
    double forward() {
        if (!length_) return places_ == 1 ? 0 : NEVER;
        before_.assign(size_t(length_) * places_, NEVER);
        for (int s = 0; s < std::min(2, places_); s++) before_[s] = emitted_[s];
        for (int t = 1; t < length_; t++) {
            const double* last = &before_[size_t(t - 1) * places_];
            for (int s = 0; s < places_; s++)
                before_[size_t(t) * places_ + s] =
                    sum(last[s], s ? last[s - 1] : NEVER, leaps(s) ? last[s - 2] : NEVER) +
                    emitted_[size_t(t) * places_ + s];
        }
        const double* last = &before_[size_t(length_ - 1) * places_];
        return sum(last[places_ - 1], places_ > 1 ? last[places_ - 2] : NEVER, NEVER);
    }

    // after_[s]: log p of what follows step t for alignments that are in place s then.
    void backward(double found, float* gradient, int64_t stride) {
        after_.assign(places_, NEVER);
        for (int s = std::max(0, places_ - 2); s < places_; s++) after_[s] = 0;
        next_.resize(places_);
        for (int t = length_ - 1; t >= 0; t--) {
            const size_t row = size_t(t) * places_;
            for (int s = 0; s < places_; s++)
                gradient[t * stride + symbol(s)] -= float(std::exp(before_[row + s] + after_[s] - found));
            for (int s = 0; s < places_; s++) next_[s] = after_[s] + emitted_[row + s];
            for (int s = 0; s < places_; s++)
                after_[s] = sum(next_[s], s + 1 < places_ ? next_[s + 1] : NEVER,
                                s + 2 < places_ && leaps(s + 2) ? next_[s + 2] : NEVER);
        }
    }
};

// logits (T, N, K) -> loss (N,), gradient (T, N, K) of each sample's own loss.
static inline void ctc(const Labels& all, const float* logits, float* loss, float* gradient) {
#pragma omp parallel
    {
        Alignment alignment;
#pragma omp for schedule(dynamic)
        for (int n = 0; n < all.batch; n++) {
            const int64_t first = int64_t(n) * all.classes;
            loss[n] = alignment.run(all, n, logits + first, gradient + first);
        }
    }
}

}  // namespace crnn
