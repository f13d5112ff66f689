// A bidirectional LSTM whose products have 8 bits: what comes in is rounded to levels, the state to 16 bits, far finer
// than anything else here (a layer's definition does not round it). The gates are those of lstm.h.
#pragma once
#include "int8_layers.h"
#include "lstm.h"

namespace crnn {

class LevelRecurrence {
  public:
    // Whole numbers w_hh (4 * hidden, hidden) and their scale -> [block of LANES units][two of hidden][gate][unit][2]
    void pack(int hidden, const float* w_hh, const float* scale) {
        const int blocks = padded(hidden) / LANES;
        pairs_ = (hidden + 1) / 2;
        most_ = std::min(32767.f, std::floor(float(0x7fffff00) / (127.f * hidden)));  // sums have 32 bits
        auto* to = reinterpret_cast<int16_t*>(weights_.need(size_t(blocks) * pairs_ * 4 * LANES));
        float* scales = scale_.need(size_t(blocks) * 4 * LANES);
        for (int j = 0; j < blocks; j++)
            for (int q = 0; q < 4; q++)
                for (int l = 0; l < LANES; l++) {
                    const int unit = j * LANES + l, row = q * hidden + unit;
                    scales[(j * 4 + q) * LANES + l] = unit < hidden ? scale[row] / most_ : 0.f;
                    for (int k = 0; k < 2 * pairs_; k++) {
                        const bool there = unit < hidden && k < hidden;
                        to[(((size_t(j) * pairs_ + k / 2) * 4 + q) * LANES + l) * 2 + k % 2] =
                            there ? int16_t(w_hh[size_t(row) * hidden + k]) : int16_t(0);
                    }
                }
    }

    // Of R sequences, LANES units from block j on; `before` and `after` are their states in 16 bits.
    template <int R>
    __attribute__((noinline)) void step(const Step& s, const int16_t* before, int16_t* after, int j) const {
        IntVec sum[R][4] = {};
        const auto* w = reinterpret_cast<const int16_t*>(weights_.get()) + size_t(j) * pairs_ * 8 * LANES;
        for (int k = 0; s.h_before && k < pairs_; k++, w += 8 * LANES) {
            IntVec row[4];
            for (int q = 0; q < 4; q++) row[q] = *(const IntVec*)(w + q * 2 * LANES);
#pragma GCC unroll 8
            for (int r = 0; r < R; r++) {
                int32_t pair;
                std::memcpy(&pair, before + int64_t(r) * 2 * s.wide + 2 * k, sizeof(pair));
#pragma GCC unroll 4
                for (int q = 0; q < 4; q++) sum[r][q] = dot_words(sum[r][q], IntVec{} + pair, row[q]);
            }
        }
        const float* scale = scale_.get() + j * 4 * LANES;
        for (int r = 0; r < R; r++) {
            Vec gates[4];
            for (int q = 0; q < 4; q++)
                gates[q] = load(s.gates + r * s.gates_stride + q * s.wide + j * LANES) +
                           __builtin_convertvector(sum[r][q], Vec) * load(scale + q * LANES);
            const IntVec state = nearest(lstm_cell(s, r, j * LANES, gates) * most_);
            *(WordVecUnaligned*)(after + int64_t(r) * 2 * s.wide + j * LANES) = __builtin_convertvector(state, WordVec);
        }
    }

  private:
    typedef int16_t WordVec __attribute__((vector_size(2 * LANES)));
    typedef WordVec WordVecUnaligned __attribute__((aligned(2), may_alias));
    int pairs_ = 0;
    float most_ = 0;  // that a state of 1 becomes
    Buffer weights_, scale_;
};

class Int8BiLSTMLayer : public SequenceLayer {
  public:
    // Whole numbers w_ih (2, 4 * hidden, in) and w_hh (2, 4 * hidden, hidden), their scales and bias (2, 4 * hidden).
    Int8BiLSTMLayer(int in, int hidden, Rounding comes, const float* w_ih, const float* ih_scale, const float* w_hh,
                    const float* hh_scale, const float* bias)
        : hidden_(hidden) {
        const int wide = padded(hidden), columns = 8 * wide;
        std::vector<float> scales(columns), biases(columns);
        for (int o = 0; o < columns; o++)
            if (const int row = gate_row(o, hidden); row >= 0) {
                scales[o] = ih_scale[row];
                biases[o] = bias[row];
            }
        const auto at = [=](int o, int k) {
            const int row = gate_row(o, hidden);
            return row < 0 ? 0.f : w_ih[size_t(row) * in + k];
        };
        input_.pack(columns, in, comes, at, scales.data(), biases.data());
        for (int d = 0; d < 2; d++)
            recurrent_[d].pack(hidden, w_hh + size_t(d) * 4 * hidden * hidden, hh_scale + d * 4 * hidden);
    }
    int in_features() const override { return input_.depth(); }
    int out_features() const override { return 2 * hidden_; }
    void run(const float* x, int steps, int batch, float* y) override {
        const int wide = padded(hidden_);
        float* gates = gates_.need(size_t(steps) * batch * 8 * wide);
        input_.run(x, steps * batch, gates, 8 * wide);
        float* cells = cells_.need(size_t(batch) * 2 * wide);
        recur({steps, batch, hidden_, wide, gates, y, cells, false});
    }

  private:
    int hidden_;
    Int8Linear input_;
    LevelRecurrence recurrent_[2];
    Buffer gates_, cells_, states_;

    void recur(const Recurrence& r) {
        const size_t all = size_t(r.batch) * 2 * r.wide;  // one for the step before, one for the step itself
        auto* states = reinterpret_cast<int16_t*>(states_.need(all + 1));
        each_direction(r.batch, [&](int d, int first, int last) {
            const int count = last - first, groups = (count + LSTM_ROWS - 1) / LSTM_ROWS;
            int16_t* own = states + (size_t(first) * 2 + d) * r.wide;
            for (int i = 0; i < r.steps; i++)
                for (int j = 0; j < r.wide / LANES; j++) {
                    Step s = r.step(d, i, first);
                    for (int g = 0, row = 0; g < groups; g++) {
                        const int next = count * (g + 1) / groups;
                        const int16_t* before = own + (i + 1) % 2 * all + int64_t(row) * 2 * r.wide;
                        rows(next - row, recurrent_[d], s, before, own + i % 2 * all + int64_t(row) * 2 * r.wide, j);
                        s.skip(next - row);
                        row = next;
                    }
                }
        });
    }
    static void rows(int count, const LevelRecurrence& w, const Step& s, const int16_t* before, int16_t* after, int j) {
        switch (count) {
            case 1: return w.step<1>(s, before, after, j);
            case 2: return w.step<2>(s, before, after, j);
#if defined(__AVX512F__)
            case 3: return w.step<3>(s, before, after, j);
            case 4: return w.step<4>(s, before, after, j);
            case 5: return w.step<5>(s, before, after, j);
            case 6: return w.step<6>(s, before, after, j);
#endif
        }
    }
};

}  // namespace crnn
