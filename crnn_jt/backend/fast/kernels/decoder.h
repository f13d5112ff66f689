// A decoder with additive attention: symbol by symbol, each step fed with the symbol before (Bahdanau et al., "Neural
// machine translation by jointly learning to align and translate", ICLR 2015), with an LSTM's or a GRU's cell.
//
// Images are shared out among the threads, a few at a time through all steps; each stops at its own end, so that its
// logits do not depend on its batch mates.
#pragma once
#include <vector>

#include "attention.h"
#include "gemm.h"

namespace crnn {

// Arrays in PyTorch's layout; what depends on the symbol before alone has been multiplied out.
struct DecoderWeights {
    const float* query;   // (attention, hidden)
    const float* energy;  // (attention,)
    const float*
        symbols;  // (classes + 1, gates * hidden): the input's part of the gates by the symbol before, biases in
    const float* context;  // (gates * hidden, features)
    const float* hidden;   // (gates * hidden, hidden)
    const float* bias;     // (gates * hidden,) of the product with the hidden state
    const float* head;     // (classes, hidden + features)
    const float* head_bias;
};

class Decoder {
  public:
    Decoder(int features, int attention, int hidden, int classes, int steps, bool gru, const DecoderWeights& w)
        : features_(features),
          attention_(attention),
          hidden_(hidden),
          classes_(classes),
          steps_(steps),
          gates_(gru ? 3 : 4),
          wide_(padded(hidden)),
          energies_(padded(attention)),
          symbols_(size_t(classes + 1) * gates_ * wide_) {
        const auto row = [=](int o) { return o % wide_ < hidden ? o / wide_ * hidden + o % wide_ : -1; };
        const auto spread = [=](const float* from, float* to) {
            for (int o = 0; o < gates_ * wide_; o++) to[o] = row(o) < 0 ? 0.f : from[row(o)];
        };
        const auto part = [=](const float* from, int depth) {
            return [=](int o, int k) { return row(o) < 0 ? 0.f : from[size_t(row(o)) * depth + k]; };
        };
        std::vector<float> bias(size_t(gates_) * wide_);
        spread(w.bias, bias.data());
        for (int s = 0; s <= classes; s++) spread(w.symbols + size_t(s) * gates_ * hidden, symbol(s));
        std::copy_n(w.energy, attention, energies_.data());
        query_.pack(
            attention, hidden, [=](int o, int k) { return w.query[size_t(o) * hidden + k]; }, nullptr);
        context_.pack(gates_ * wide_, features, part(w.context, features), nullptr);
        recurrent_.pack(gates_ * wide_, hidden, part(w.hidden, hidden), bias.data());
        head_.pack(
            classes, hidden + features, [=](int o, int k) { return w.head[size_t(o) * (hidden + features) + k]; },
            w.head_bias);
    }

    int steps() const { return steps_; }
    int classes() const { return classes_; }
    int features() const { return features_; }
    int attention() const { return attention_; }

    // seq (n, 1, t, features), keys (n, 1, t, attention) -> logits (n, 1, steps, classes). After its end, class 0, an
    // image has nothing but ends.
    void run(const Images& seq, const Images& keys, const Images& y) {
        const int share = (seq.n + threads() - 1) / threads(), group = std::clamp(share, 1, GROUP);
        const int groups = (seq.n + group - 1) / group;
        const size_t scratch = scratch_size(seq.h * seq.w);
        float* all = scratch_.need(threads() * scratch);
#pragma omp parallel for schedule(static)
        for (int g = 0; g < groups; g++)
            run_group(seq, keys, g * group, std::min(group, seq.n - g * group), all + omp_get_thread_num() * scratch,
                      y);
    }

  private:
    static constexpr int GROUP = 16;  // images that go through the steps together
    static constexpr int END = 0;     // the class that ends a text
    static constexpr float NEVER = -1e4f;

    int features_, attention_, hidden_, classes_, steps_, gates_, wide_;
    std::vector<float> energies_, symbols_;
    Packed query_, context_, recurrent_, head_;
    Buffer scratch_;

    float* symbol(int s) { return symbols_.data() + size_t(s) * gates_ * wide_; }
    int seen() const { return padded(hidden_ + features_); }
    size_t scratch_size(int steps) const {
        const size_t row = padded(attention_) + 2 * size_t(gates_) * wide_ + wide_ + seen() + padded(classes_);
        return round_up(int(GROUP * row + padded(steps)), LINE) + LINE;
    }

    void run_group(const Images& seq, const Images& keys, int first, int count, float* scratch, const Images& y) {
        const int queries = padded(attention_), gates = gates_ * wide_, logits = padded(classes_);
        float *query = scratch, *input = query + GROUP * queries, *recurrent = input + GROUP * gates;
        float *cell = recurrent + GROUP * gates, *state = cell + GROUP * wide_, *out = state + GROUP * seen();
        float* shares = out + GROUP * logits;
        std::fill(cell, out, 0.f);  // state rows: [hidden, context]
        std::vector<int> before(count, classes_);
        for (int step = 0; step < steps_; step++) {
            product(query_, count, state, seen(), query, queries);
            product(recurrent_, count, state, seen(), recurrent, gates);
            for (int r = 0; r < count; r++)
                attend(seq, keys, first + r, query + r * queries, shares, state + r * seen() + hidden_);
            product(context_, count, state + hidden_, seen(), input, gates);
            for (int r = 0; r < count; r++)
                advance(input + r * gates, symbol(before[r]), recurrent + r * gates, cell + r * wide_,
                        state + r * seen());
            product(head_, count, state, seen(), out, logits);
            for (int r = 0; r < count; r++) {
                float* to = y.pixel(first + r, 0, step);
                std::fill(to, to + y.stride, 0.f);
                if (before[r] == END) {
                    std::fill(to + 1, to + classes_, NEVER);
                    continue;
                }
                std::copy_n(out + r * logits, classes_, to);
                before[r] = int(std::max_element(to, to + classes_) - to);
            }
        }
    }

    static void product(const Packed& weights, int rows, const float* x, int x_stride, float* y, int y_stride) {
        const Panels& panels = weights.panels();
        for (int p = 0; p < panels.count; p++)
            panel_product(rows, {x, x_stride, weights.depth()}, weights.panel(p), panels.vecs_of(p),
                          {y + p * PANEL, y_stride, weights.bias(p)});
    }

    // The mean of an image's steps, weighed by how well they answer the query.
    void attend(const Images& seq, const Images& keys, int image, const float* query, float* shares, float* to) const {
        const int steps = seq.h * seq.w;
        for (int t = 0; t < steps; t++) {
            const float* key = keys.pixel(image, 0, t);
            Vec sum{};
            for (int c = 0; c < padded(attention_); c += LANES)
                sum += load(&energies_[c]) * tanh(load(key + c) + load(query + c));
            shares[t] = sum_lanes(sum);
        }
        softmax(shares, steps, 1.f);
        for (int c = 0; c < features_; c += LANES) {
            Vec sum{};
            for (int t = 0; t < steps; t++) sum += load(seq.pixel(image, 0, t) + c) * shares[t];
            store_first(to + c, sum, features_ - c);
        }
    }

    // The next state, from the products with the context and with the state before, and the symbol's own part.
    void advance(const float* input, const float* symbol, const float* recurrent, float* cell, float* state) const {
        const bool gru = gates_ == 3;
        for (int u = 0; u < hidden_; u += LANES) {
            const auto seen = [&](int gate) {
                return load(input + gate * wide_ + u) + load(symbol + gate * wide_ + u);
            };
            const auto kept = [&](int gate) { return load(recurrent + gate * wide_ + u); };
            Vec h;
            if (gru) {
                const Vec reset = sigmoid(seen(0) + kept(0)), stay = sigmoid(seen(1) + kept(1));
                const Vec fresh = tanh(seen(2) + reset * kept(2));
                h = fresh + stay * (load(state + u) - fresh);
            } else {
                const Vec c =
                    sigmoid(seen(1) + kept(1)) * load(cell + u) + sigmoid(seen(0) + kept(0)) * tanh(seen(2) + kept(2));
                store(cell + u, c);
                h = sigmoid(seen(3) + kept(3)) * tanh(c);
            }
            store_first(state + u, h, hidden_ - u);
        }
    }
};

}  // namespace crnn
