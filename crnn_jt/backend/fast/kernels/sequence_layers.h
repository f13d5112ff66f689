// The sequence layers of a frozen network, on (steps, batch, features).
#pragma once
#include <memory>
#include <vector>

#include "lstm.h"

namespace crnn {

struct SequenceLayer {
    virtual ~SequenceLayer() = default;
    virtual int out_features() const = 0;
    virtual int in_features() const = 0;
    virtual void run(const float* x, int steps, int batch, float* y) = 0;
};

class LinearLayer : public SequenceLayer {
  public:
    LinearLayer(int in, int out, const float* weight, const float* bias) {
        weights_.pack(
            out, in, [=](int o, int k) { return weight[size_t(o) * in + k]; }, bias);
    }
    int in_features() const override { return weights_.depth(); }
    int out_features() const override { return weights_.columns(); }
    void run(const float* x, int steps, int batch, float* y) override {
        linear(weights_, x, in_features(), steps * batch, y, out_features());
    }

  private:
    Packed weights_;
};

class BiLSTMLayer : public SequenceLayer {
  public:
    BiLSTMLayer(int in, int hidden, const float* w_ih, const float* w_hh, const float* bias)
        : in_(in), hidden_(hidden) {
        lstm_.pack(in, hidden, w_ih, w_hh, bias);
    }
    int in_features() const override { return in_; }
    int out_features() const override { return 2 * hidden_; }
    void run(const float* x, int steps, int batch, float* y) override { lstm_.run(x, steps, batch, y); }

  private:
    int in_, hidden_;
    BiLSTM lstm_;
};

// Global max context: each step's features, then the largest of each over all steps of its sequence.
class ContextLayer : public SequenceLayer {
  public:
    explicit ContextLayer(int features) : features_(features) {}
    int in_features() const override { return features_; }
    int out_features() const override { return 2 * features_; }
    void run(const float* x, int steps, int batch, float* y) override {
        const int64_t step = int64_t(batch) * features_;
        std::vector<float> largest(x, x + step);
        for (int64_t i = step; i < steps * step; i++) largest[i % step] = std::max(largest[i % step], x[i]);
        for (int64_t row = 0; row < int64_t(steps) * batch; row++, x += features_, y += 2 * features_) {
            std::copy_n(x, features_, y);
            std::copy_n(&largest[row % batch * features_], features_, y + features_);
        }
    }

  private:
    int features_;
};

}  // namespace crnn
