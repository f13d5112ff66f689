// The BiLSTM's two passes for training. Forward keeps the activated gates and the cells of every step; backward walks
// the recurrence the other way and gives the gradient at the gates' sums, from which all others follow by plain
// products.
//
// With `lengths` a sequence is over after its own number of steps: after it h is zero and no gradient flows, and since
// the state is zero there, the reverse direction starts at the sequence's own end.
#pragma once
#include "lstm.h"
#include "outer.h"

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

// What the backward pass gives; all laid out as Jittor's Vars. h is the forward pass's output.
struct BiLSTMGradients {
    float* dx;     // (T, N, in)
    float* dw_ih;  // (2, 4 * hidden, in)
    float* dw_hh;  // (2, 4 * hidden, hidden)
    float* dbias;  // (2, 4 * hidden)
};

class BiLSTMGrad {
  public:
    // w_ih (2, 4 * hidden, in), w_hh (2, 4 * hidden, hidden)
    void pack(int in, int hidden, const float* w_ih, const float* w_hh) {
        in_ = in;
        const int wide = padded(hidden);
        // Row k of a matrix of one direction as the gates lie in memory: [gate][wide]; -1 for padding.
        const auto row = [=](int k) { return k % wide < hidden ? k / wide * hidden + k % wide : -1; };
        input_.pack(
            in, 8 * wide, [=](int o, int k) { return row(k) < 0 ? 0.f : w_ih[size_t(row(k)) * in + o]; }, nullptr);
        for (int d = 0; d < 2; d++) {
            const float* w = w_hh + size_t(d) * 4 * hidden * hidden;
            recurrent_[d].pack(
                hidden, 4 * wide, [=](int o, int k) { return row(k) < 0 ? 0.f : w[size_t(row(k)) * hidden + o]; },
                nullptr);
        }
    }

    // From dy (T, N, 2 * hidden); `r` as the forward pass left it.
    void run(const Recurrence& r, const float* x, const float* dy, const BiLSTMGradients& out) {
        const int wide = r.wide, rows = r.steps * r.batch;
        float* dgates = dgates_.need(size_t(rows) * 8 * wide);
        recur(r, dy, dgates);
        linear(input_, dgates, 8 * wide, rows, out.dx, in_);
        weights(rows, dgates, 8 * wide, x, in_, in_, 8, r, out.dw_ih);
        for (int d = 0; d < 2; d++) {  // a step's gates with the state before it
            const int64_t gates = r.gates_row(d ? 0 : 1, 0, d), state = r.h_row(d ? 1 : 0, 0, d);
            const int steps = (r.steps - 1) * r.batch;
            weights(steps, dgates + gates, 8 * wide, r.h + state, 2 * r.hidden, r.hidden, 4, r,
                    out.dw_hh + size_t(d) * 4 * r.hidden * r.hidden);
        }
        bias(rows, dgates, r, out.dbias);
    }

  private:
    static constexpr int DEPTH = 192;  // rows multiplied before the next columns: both sides stay in the cache

    int in_ = 0;
    Packed input_, recurrent_[2];
    Buffer dh_, carry_, dgates_, columns_, sums_;

    // The recurrence backwards: dgates (T, N, 2, 4, wide), the gradients at the gates' sums.
    void recur(const Recurrence& r, const float* dy, float* dgates) {
        const size_t states = size_t(r.batch) * 2 * r.wide;
        float* dh = dh_.need(states);
        float* carry = carry_.need(states);
        std::fill(dh, dh + states, 0.f);
        std::fill(carry, carry + states, 0.f);
        each_direction(r.batch, [&](int d, int first, int last) {
            for (int i = r.steps - 1; i >= 0; i--) {
                const int t = d ? r.steps - 1 - i : i, before = d ? t + 1 : t - 1, after = d ? t - 1 : t + 1;
                if (i < r.steps - 1)
                    from_next(d, last - first, dgates + r.gates_row(after, first, d), r.wide,
                              dh + (size_t(d) * r.batch + first) * r.wide);
                for (int n = first; n < last; n++) {
                    float* to = dgates + r.gates_row(t, n, d);
                    const size_t own = (size_t(d) * r.batch + n) * r.wide;
                    if (r.lengths && t >= r.lengths[n]) {
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

    // dh (rows, wide) = dgates of the next step (rows, 4 * wide) . recurrent weights
    void from_next(int d, int rows, const float* dgates, int wide, float* dh) const {
        const Panels& panels = recurrent_[d].panels();
        for (int p = 0; p < panels.count; p++)
            panel_product(rows, {dgates, 8 * wide, 4 * wide}, recurrent_[d].panel(p), panels.vecs_of(p),
                          {dh + p * PANEL, wide});
    }

    // to (gates * hidden, columns) = sum over rows of dgates (rows, gates * wide)^T . x (rows, columns)
    void weights(int rows, const float* dgates, int64_t stride, const float* x, int64_t x_stride, int columns,
                 int gates, const Recurrence& r, float* to) {
        const Panels panels(columns);
        const int wide = panels.columns();
        const float* b = x;
        if (columns % LANES) {  // whole vectors for the kernel
            float* copy = columns_.need(size_t(std::max(rows, 1)) * wide);
            std::fill(copy, copy + size_t(rows) * wide, 0.f);
            for (int k = 0; k < rows; k++) std::copy_n(x + k * x_stride, columns, copy + size_t(k) * wide);
            b = copy;
            x_stride = wide;
        }
        float* sums = sums_.need(size_t(gates) * r.wide * wide);
        if (rows == 0) std::fill(sums, sums + size_t(gates) * r.wide * wide, 0.f);
#pragma omp parallel for collapse(2) schedule(static)
        for (int q = 0; q < gates; q++)
            for (int p = 0; p < panels.count; p++)
                for (int k = 0; k < rows; k += DEPTH)
                    outer_product(std::min(DEPTH, rows - k), dgates + k * stride + q * r.wide, stride, r.hidden,
                                  b + k * x_stride + p * PANEL, x_stride, panels.vecs_of(p),
                                  sums + size_t(q) * r.hidden * wide + p * PANEL, wide, k == 0);
        for (int o = 0; o < gates * r.hidden; o++)
            std::copy_n(sums + size_t(o) * wide, columns, to + size_t(o) * columns);
    }

    void bias(int rows, const float* dgates, const Recurrence& r, float* to) const {
#pragma omp parallel for schedule(static)
        for (int q = 0; q < 8; q++)
            for (int u = 0; u < r.wide; u += LANES) {
                Vec sum{};
                for (int k = 0; k < rows; k++) sum += load(dgates + (size_t(k) * 8 + q) * r.wide + u);
                store_first(to + q * r.hidden + u, sum, r.hidden - u);
            }
    }
};

}  // namespace crnn
