// A bidirectional LSTM layer: one product for the inputs of all steps and both directions, then the recurrence, in
// which a step is one fused pass over the recurrent weights: four gates of LANES units for a few sequences in
// registers, from the product to the new state. One thread runs one direction of some of the sequences through all
// steps, with no barrier.
//
// Gates i, f, g, o as in PyTorch and Jittor; a direction's gates lie [gate][wide], wide = hidden padded to whole
// vectors.
#pragma once
#include <memory>

#include "gemm.h"

namespace crnn {

class RecurrentWeights {
  public:
    // w_hh (4 * hidden, hidden) -> [block of LANES units][hidden][gate][LANES]
    void pack(int hidden, const float* w_hh) {
        const int blocks = padded(hidden) / LANES;
        stride_ = size_t(hidden) * 4 * LANES;
        float* to = weights_.need(blocks * stride_);
#pragma omp parallel for schedule(static)
        for (int j = 0; j < blocks; j++)
            for (int k = 0; k < hidden; k++)
                for (int q = 0; q < 4; q++)
                    for (int l = 0; l < LANES; l++) {
                        const int unit = j * LANES + l;
                        to[j * stride_ + (size_t(k) * 4 + q) * LANES + l] =
                            unit < hidden ? w_hh[(size_t(q) * hidden + unit) * hidden + k] : 0.f;
                    }
    }
    const float* block(int j) const { return weights_.get() + j * stride_; }
    size_t stride() const { return stride_; }

  private:
    size_t stride_ = 0;
    Buffer weights_;
};

// Where one step of one direction reads and writes; sequences are `*_stride` floats apart.
struct Step {
    int hidden, wide;
    float* gates;  // [gate][wide]: inputs' part of the sums; with `keep`, the activated gates afterwards
    int64_t gates_stride;
    const float* h_before;  // null at the first step
    float* h;
    int64_t h_stride;
    const float* c_before;
    float* c;
    int64_t c_stride;
    bool keep;

    void skip(int rows) {
        gates += rows * gates_stride;
        h += rows * h_stride;
        c += rows * c_stride;
        if (!h_before) return;
        h_before += rows * h_stride;
        c_before += rows * c_stride;
    }
};

// The gates' sums of LANES units of sequence r become their new state and output, which is returned.
CRNN_INLINE Vec lstm_cell(const Step& s, int r, int unit, const Vec* sum) {
    const Vec i = sigmoid(sum[0]), f = sigmoid(sum[1]), o = sigmoid(sum[3]);
    const Vec g = tanh(sum[2]);
    Vec c = i * g;
    if (s.h_before) c += f * load(s.c_before + r * s.c_stride + unit);
    store(s.c + r * s.c_stride + unit, c);
    const Vec h = o * tanh(c);
    store_first(s.h + r * s.h_stride + unit, h, s.hidden - unit);
    if (!s.keep) return h;
    float* kept = s.gates + r * s.gates_stride + unit;
    store(kept, i);
    store(kept + s.wide, f);
    store(kept + 2 * s.wide, g);
    store(kept + 3 * s.wide, o);
    return h;
}

// R sequences, B blocks of LANES units from block j on. Few sequences take two blocks at once: the sums of one block
// alone would wait for each other. The order of each sum is the same for every R and B.
template <int R, int B>
static __attribute__((noinline)) void lstm_step(const Step& s, const RecurrentWeights& weights, int j) {
    Vec sum[R][B][4];
    for (int r = 0; r < R; r++)
        for (int b = 0; b < B; b++)
            for (int q = 0; q < 4; q++)
                sum[r][b][q] = load(s.gates + r * s.gates_stride + q * s.wide + (j + b) * LANES);
    for (int r = 0; r < R; r++)
        for (int q = 0; q < 4; q++) __builtin_prefetch(s.gates + r * s.gates_stride + q * s.wide + (j + B) * LANES);
    if (s.h_before) {
        const float* w = weights.block(j);
        const int64_t next = weights.stride();
        for (int k = 0; k < s.hidden; k++, w += 4 * LANES)
#pragma GCC unroll 2
            for (int b = 0; b < B; b++) {
                Vec row[4];
                for (int q = 0; q < 4; q++) row[q] = *(const Vec*)(w + b * next + q * LANES);
#pragma GCC unroll 8
                for (int r = 0; r < R; r++) {
                    const float x = s.h_before[r * s.h_stride + k];
#pragma GCC unroll 4
                    for (int q = 0; q < 4; q++) sum[r][b][q] += row[q] * x;
                }
            }
    }
    for (int r = 0; r < R; r++)
        for (int b = 0; b < B; b++) lstm_cell(s, r, (j + b) * LANES, sum[r][b]);
}

template <int B>
static void lstm_rows(int rows, const Step& s, const RecurrentWeights& weights, int j) {
    switch (rows) {
        case 1: return lstm_step<1, B>(s, weights, j);
        case 2: return lstm_step<2, B>(s, weights, j);
#if defined(__AVX512F__)
        case 3: return lstm_step<3, B>(s, weights, j);
        case 4: return lstm_step<4, 1>(s, weights, j);
        case 5: return lstm_step<5, 1>(s, weights, j);
        case 6: return lstm_step<6, 1>(s, weights, j);
#endif
    }
}

// Units j (and the next block, where `both`) of `count` sequences. The weights of a block are in the nearest cache
// after the first few sequences.
static inline void lstm_units(int count, Step s, const RecurrentWeights& weights, int j, bool both) {
    const int groups = (count + LSTM_ROWS - 1) / LSTM_ROWS;
    for (int g = 0; g < groups; g++) {
        const int rows = count * (g + 1) / groups - count * g / groups;
        if (both) lstm_rows<2>(rows, s, weights, j);
        else lstm_rows<1>(rows, s, weights, j);
        s.skip(rows);
    }
}

// The whole layer in memory: gates (T, N, 2, 4, wide), h (T, N, 2 * hidden), cells (T or 1, N, 2, wide).
struct Recurrence {
    int steps, batch, hidden, wide;
    float* gates;
    float* h;
    float* cells;
    bool keep;                         // for training: every step's cells and activated gates
    const int64_t* lengths = nullptr;  // (batch,): where a sequence ends, if not at the last step

    int64_t gates_row(int t, int n, int d) const { return ((int64_t(t) * batch + n) * 2 + d) * 4 * wide; }
    int64_t h_row(int t, int n, int d) const { return (int64_t(t) * batch + n) * 2 * hidden + d * hidden; }
    int64_t cells_row(int t, int n, int d) const { return ((int64_t(keep ? t : 0) * batch + n) * 2 + d) * wide; }

    // The i-th step of direction d of the sequences from n on, at time t.
    int time(int d, int i) const { return d ? steps - 1 - i : i; }
    Step step(int d, int i, int n) const {
        const int t = time(d, i), before = d ? t + 1 : t - 1;
        return {hidden,
                wide,
                gates + gates_row(t, n, d),
                8 * wide,
                i ? h + h_row(before, n, d) : nullptr,
                h + h_row(t, n, d),
                2 * hidden,
                i ? cells + cells_row(before, n, d) : nullptr,
                cells + cells_row(t, n, d),
                2 * wide,
                keep};
    }
};

// Shares directions and sequences out among the threads: calls work(direction, first, last).
template <class Work>
static void each_direction(int batch, const Work& work) {
    const int groups = std::max(1, std::min((batch + LSTM_ROWS - 1) / LSTM_ROWS, threads() / 2));
#pragma omp parallel for collapse(2) schedule(static)
    for (int d = 0; d < 2; d++)
        for (int g = 0; g < groups; g++) work(d, batch * g / groups, batch * (g + 1) / groups);
}

// After a sequence's end: no output, no state. The reverse direction thus starts at the end.
static inline void end_sequence(const Recurrence& r, int t, int n, int d) {
    std::fill_n(r.h + r.h_row(t, n, d), r.hidden, 0.f);
    std::fill_n(r.cells + r.cells_row(t, n, d), r.wide, 0.f);
}

static inline void run_recurrence(const Recurrence& r, const RecurrentWeights* weights) {
    each_direction(r.batch, [&](int d, int first, int last) {
        const int count = last - first, blocks = r.wide / LANES, together = count * 2 <= LSTM_ROWS ? 2 : 1;
        for (int i = 0; i < r.steps; i++) {
            const int t = r.time(d, i);
            const Step step = r.step(d, i, first);
            for (int b = 0; b < blocks; b += together) {
                const int j = i % 2 ? (blocks - 1) / together * together - b : b;
                lstm_units(count, step, weights[d], j, together == 2 && j + 1 < blocks);
            }
            for (int k = first; r.lengths && k < last; k++)
                if (t >= r.lengths[k]) end_sequence(r, t, k, d);
        }
    });
}

// The row of the unpadded matrices that is column o of [direction][gate][wide]; -1 for a column of padding.
static inline int gate_row(int o, int hidden) {
    const int wide = padded(hidden), unit = o % wide;
    return unit < hidden ? o / wide * hidden + unit : -1;
}

class BiLSTM {
  public:
    // w_ih (2, 4 * hidden, in), w_hh (2, 4 * hidden, hidden), bias (2, 4 * hidden): both directions, both biases added.
    void pack(int in, int hidden, const float* w_ih, const float* w_hh, const float* bias) {
        in_ = in;
        hidden_ = hidden;
        const int wide = padded(hidden);
        const auto row = [=](int o) { return gate_row(o, hidden); };
        std::unique_ptr<float[]> wide_bias(new float[8 * wide]);
        for (int o = 0; o < 8 * wide; o++) wide_bias[o] = row(o) < 0 ? 0.f : bias[row(o)];
        const auto weight = [=](int o, int k) { return row(o) < 0 ? 0.f : w_ih[size_t(row(o)) * in + k]; };
        input_.pack(8 * wide, in, weight, wide_bias.get());
        for (int d = 0; d < 2; d++) recurrent_[d].pack(hidden, w_hh + size_t(d) * 4 * hidden * hidden);
    }

    // x (steps, batch, in) -> h (steps, batch, 2 * hidden)
    void run(const float* x, int steps, int batch, float* h) {
        const int wide = padded(hidden_);
        float* gates = gates_.need(size_t(steps) * batch * 8 * wide);
        float* cells = cells_.need(size_t(batch) * 2 * wide);
        run(x, {steps, batch, hidden_, wide, gates, h, cells, false});
    }
    void run(const float* x, const Recurrence& r) {
        linear(input_, x, in_, r.steps * r.batch, r.gates, 8 * r.wide);
        run_recurrence(r, recurrent_);
    }

  private:
    int in_ = 0, hidden_ = 0;
    Packed input_;
    RecurrentWeights recurrent_[2];
    Buffer gates_, cells_;
};

}  // namespace crnn
