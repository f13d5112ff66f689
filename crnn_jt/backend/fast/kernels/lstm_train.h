// The BiLSTM's two passes for training. Forward keeps the activated gates and the cells of every step; backward walks the
// recurrence the other way and gives the gradient at the gates' sums, from which all others follow by plain products.
//
// With `lengths` a sequence is over after its own number of steps: behind it h is zero and no gradient flows, and since the
// state is zero there, the reverse direction starts at the sequence's own end.
#pragma once
#include "lstm.h"

namespace crnn {

CRNN_INLINE Vec load_first(const float* p, int n) {
    if (n >= LANES) return load(p);
    Vec v{};
    std::memcpy(&v, p, n * sizeof(float));
    return v;
}

// One sequence at one step. dh is the gradient at h from the next step (and overwritten), `carry` that at c.
struct StepGrad {
    int hidden, wide;
    const float *dy, *gates, *c_before, *c;  // c_before null at the first step
    float *dh, *carry, *dgates;
};

static inline void lstm_step_grad(const StepGrad& s) {
    for (int u = 0; u < s.wide; u += LANES) {
        const Vec i = load(s.gates + u), f = load(s.gates + s.wide + u);
        const Vec g = load(s.gates + 2 * s.wide + u), o = load(s.gates + 3 * s.wide + u);
        const Vec before = s.c_before ? load(s.c_before + u) : Vec{};
        const Vec squashed = tanh(load(s.c + u));
        const Vec dh = load(s.dh + u) + load_first(s.dy + u, s.hidden - u);
        const Vec dc = load(s.carry + u) + dh * o * (1.f - squashed * squashed);
        store(s.carry + u, dc * f);
        store(s.dgates + u, dc * g * i * (1.f - i));
        store(s.dgates + s.wide + u, dc * before * f * (1.f - f));
        store(s.dgates + 2 * s.wide + u, dc * i * (1.f - g * g));
        store(s.dgates + 3 * s.wide + u, dh * squashed * o * (1.f - o));
    }
}

class BiLSTMGrad {
  public:
    // w_hh (2, 4 * hidden, hidden)
    void pack(int hidden, const float* w_hh) {
        const int wide = padded(hidden);
        for (int d = 0; d < 2; d++) {
            const float* w = w_hh + size_t(d) * 4 * hidden * hidden;
            recurrent_[d].pack(hidden, 4 * wide, [=](int o, int k) {
                return k % wide < hidden ? w[(size_t(k / wide) * hidden + k % wide) * hidden + o] : 0.f;
            }, nullptr);
        }
    }

    // dy (T, N, 2 * hidden) -> dgates (T, N, 2, 4, wide); `r` as the forward pass left it, `lengths` null or (N,).
    void run(const Recurrence& r, const float* dy, const int64_t* lengths, float* dgates) {
        float* dh = dh_.need(size_t(r.batch) * 2 * r.wide);
        float* carry = carry_.need(size_t(r.batch) * 2 * r.wide);
        std::fill(dh, dh + size_t(r.batch) * 2 * r.wide, 0.f);
        std::fill(carry, carry + size_t(r.batch) * 2 * r.wide, 0.f);
        each_direction(r.batch, [&](int d, int first, int last) {
            for (int i = r.steps - 1; i >= 0; i--) {
                const int t = d ? r.steps - 1 - i : i, before = d ? t + 1 : t - 1, after = d ? t - 1 : t + 1;
                if (i < r.steps - 1) from_next(d, last - first, dgates + r.gates_row(after, first, d), r.wide,
                                               dh + (size_t(d) * r.batch + first) * r.wide);
                for (int n = first; n < last; n++) {
                    float* to = dgates + r.gates_row(t, n, d);
                    const size_t own = (size_t(d) * r.batch + n) * r.wide;
                    if (lengths && t >= lengths[n]) {
                        std::fill(to, to + 4 * r.wide, 0.f);
                        std::fill(carry + own, carry + own + r.wide, 0.f);
                        continue;
                    }
                    lstm_step_grad({r.hidden, r.wide, dy + r.h_row(t, n, d), r.gates + r.gates_row(t, n, d),
                                    i ? r.cells + r.cells_row(before, n, d) : nullptr, r.cells + r.cells_row(t, n, d),
                                    dh + own, carry + own, to});
                }
            }
        });
    }

  private:
    Packed recurrent_[2];
    Buffer dh_, carry_;

    // dh (rows, wide) = dgates of the next step (rows, 4 * wide) . recurrent weights
    void from_next(int d, int rows, const float* dgates, int wide, float* dh) const {
        const Panels& panels = recurrent_[d].panels();
        for (int p = 0; p < panels.count; p++)
            panel_product(rows, {dgates, 8 * wide, 4 * wide}, recurrent_[d].panel(p), panels.vecs_of(p),
                          {dh + p * PANEL, wide});
    }
};

}  // namespace crnn
