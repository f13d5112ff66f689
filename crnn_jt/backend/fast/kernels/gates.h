// What squeeze-and-excitation is made of, on channels-last images: the mean of each channel, and a gate for each.
#pragma once
#include "conv.h"

namespace crnn {

// y (n, 1, 1, c): the mean over all pixels, row by row so that rounding stays small.
static inline void global_mean(const Images& x, const Images& y) {
    const float share = 1.f / (float(x.h) * x.w);
#pragma omp parallel for collapse(2) schedule(static) if (x.size() > size_t(1) << 15)
    for (int n = 0; n < x.n; n++)
        for (int c = 0; c < x.stride; c += LANES) {
            Vec sum{};
            for (int i = 0; i < x.h; i++) {
                const float* from = x.pixel(n, i, 0) + c;
                Vec row{};
                for (int j = 0; j < x.w; j++) row += load(from + int64_t(j) * x.stride);
                sum += row;
            }
            store(y.pixel(n, 0, 0) + c, sum * share);
        }
}

// y = x * gate, the gate of one pixel for all or of the same size.
static inline void multiply(const Images& x, const Images& gate, const Images& y) {
    const int64_t pixels = int64_t(x.h) * x.w, step = gate.h * gate.w == 1 ? 0 : gate.stride;
#pragma omp parallel for collapse(2) schedule(static) if (x.size() > size_t(1) << 15)
    for (int n = 0; n < x.n; n++)
        for (int64_t p = 0; p < pixels; p++) {
            const float *from = x.pixel(n, 0, 0) + p * x.stride, *by = gate.pixel(n, 0, 0) + p * step;
            float* to = y.pixel(n, 0, 0) + p * y.stride;
            for (int c = 0; c < x.stride; c += LANES) store(to + c, load(from + c) * load(by + c));
        }
}

}  // namespace crnn
