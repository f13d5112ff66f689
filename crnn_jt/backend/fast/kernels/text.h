// What stands between a text's letters as a network sees them: how long it is, and two opinions of it put together.
#pragma once
#include "conv.h"

namespace crnn {

// y (n, 1, 1, 1): the steps of a text up to and with its end, class 0, at least two, all where it does not end. x are
// the chances of each step's classes; the first of equals counts.
static inline void text_lengths(const Images& x, const Images& y) {
    const int steps = x.h * x.w;
    for (int n = 0; n < x.n; n++) {
        int length = steps;
        for (int t = steps - 1; t >= 0; t--) {
            const float* chances = x.pixel(n, 0, t);
            if (*std::max_element(chances + 1, chances + x.channels) <= chances[0]) length = t + 1;
        }
        std::fill_n(y.pixel(n, 0, 0), y.stride, 0.f);
        *y.pixel(n, 0, 0) = float(std::max(length, std::min(2, steps)));
    }
}

// y = b + share * (a - b)
static inline void blend(const Images& share, const Images& a, const Images& b, const Images& y) {
    const int64_t vectors = int64_t(y.size()) / LANES;
#pragma omp parallel for schedule(static) if (vectors > 1 << 12)
    for (int64_t i = 0; i < vectors; i++) {
        const int64_t at = i * LANES;
        const Vec other = load(b.data + at);
        store(y.data + at, other + load(share.data + at) * (load(a.data + at) - other));
    }
}

// The columns after x's own are zero, or x's that y has no room for are left out.
static inline void fit_columns(const Images& x, const Images& y) {
    const size_t row = size_t(y.w) * y.stride, known = size_t(std::min(x.w, y.w)) * x.stride;
    for (int n = 0; n < y.n; n++)
        for (int i = 0; i < y.h; i++) {
            float* to = y.pixel(n, i, 0);
            std::copy_n(x.pixel(n, i, 0), known, to);
            std::fill(to + known, to + row, 0.f);
        }
}

}  // namespace crnn
