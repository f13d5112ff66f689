// A frozen network: a list of image layers, then a list of sequence layers, run on batches of any size.
//
// It knows layers, not stages. The builder (freeze.py) has folded what can be folded and numbered the values; image layer
// i reads and writes numbered values (`from`, `addend`, `to`), sequence layers form a chain.
//
// Which kernel a convolution gets is a rule on the layer's shape (see ConvLayer::winograd), never a measurement: the same
// weights and images give the same logits in every run.
#pragma once
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

#include "first.h"
#include "lstm.h"
#include "pair.h"
#include "pixels.h"
#include "winograd.h"

namespace crnn {

struct ImageLayer {
    int from = 0, to = 0, addend = -1;
    virtual ~ImageLayer() = default;
    virtual int out_channels(int in) const { return in; }
    virtual int out_h(int h) const { return h; }
    virtual int out_w(int w) const { return w; }
    virtual bool takes_unpadded() const { return false; }  // may a pixel hold its channels alone, without padding?
    virtual void run(const Images& x, const float* addend, const Images& y) = 0;
};

class ConvLayer : public ImageLayer {
  public:
    enum class Method { rule, direct, winograd };  // the last two for tests and benches

    ConvLayer(int in, int out, Window window, Fused fused, Method method, const float* weight, const float* bias)
        : in_(in), out_(out), window_(window), fused_(fused), method_(method),
          weight_(weight, weight + size_t(out) * in * window.kh * window.kw), bias_(bias, bias + out) {}

    int out_channels(int) const override { return out_; }
    int out_h(int h) const override { return window_.out_h(h) / fused_.pool_h; }
    int out_w(int w) const override { return window_.out_w(w) / fused_.pool_w; }
    bool takes_unpadded() const override { return true; }

    void run(const Images& x, const float* addend, const Images& y) override {
        Fused fused = fused_;
        fused.addend = addend;
        const int size = window_.kh * window_.kw;
        const auto weight = [=](int o, int c, int i) { return weight_[(size_t(o) * in_ + c) * size + i]; };
        if (winograd(x)) {
            if (!winograd_.packed()) winograd_.pack(out_, in_, weight, bias_.data());
            winograd_.run(x, y, fused);
        } else if (method_ == Method::rule && FirstConv::covers(window_, x.stride, fused)) {
            if (!first_.packed()) first_.pack(out_, window_, weight, bias_.data());
            first_.run(x, y, fused);
        } else if (pair(x)) {
            if (!pair_.packed()) pair_.pack(out_, in_, window_, weight, bias_.data());
            pair_.run(x, y, fused);
        } else {
            if (!direct_.packed()) direct_.pack(out_, in_, x.stride, window_, weight, bias_.data());
            direct_.run(x, y, fused);
        }
    }

  private:
    int in_, out_;
    Window window_;
    Fused fused_;
    Method method_;
    std::vector<float> weight_, bias_;  // as given: packed for a kernel when it is first needed
    DirectConv direct_;
    FirstConv first_;
    PairConv pair_;
    WinogradConv winograd_;

    bool pair(const Images& x) const {
        if (!PairConv::covers(window_, fused_) || x.stride % LANES || method_ == Method::direct) return false;
        return method_ == Method::winograd || std::min(in_, out_) >= 64;  // few channels: the transforms would outweigh it
    }
    bool winograd(const Images& x) const {
        if (!WinogradConv::covers(window_) || !WinogradConv::covers(fused_) || x.stride % LANES) return false;
        if (method_ != Method::rule) return method_ == Method::winograd;
        // Multiplications of both, and the transforms' work as so many channels more. Winograd's tiles may stick out of
        // a low image, which is why the height counts; the width hardly does.
        const double direct = 9. * x.h * x.w * in_ * out_;
        const Tiling tiles = WinogradConv::tiling(1, x.h, x.w, fused_);
        const double quick = double(tiles.products()) * (double(in_) * out_ + TRANSFORM * (in_ + out_));
        return quick < direct;
    }
    static constexpr double TRANSFORM = 16;
};

class PoolLayer : public ImageLayer {
  public:
    explicit PoolLayer(Window window) : window_(window) {}
    int out_h(int h) const override { return window_.out_h(h); }
    int out_w(int w) const override { return window_.out_w(w); }
    void run(const Images& x, const float*, const Images& y) override { max_pool(x, window_, y); }

  private:
    Window window_;
};

class AffineLayer : public ImageLayer {
  public:
    AffineLayer(int channels, const float* scale, const float* shift, Act act)
        : scale_(padded(channels)), shift_(padded(channels)), act_(act) {
        std::copy(scale, scale + channels, scale_.begin());
        std::copy(shift, shift + channels, shift_.begin());
    }
    void run(const Images& x, const float*, const Images& y) override { affine(x, scale_.data(), shift_.data(), act_, y); }

  private:
    std::vector<float> scale_, shift_;
    Act act_;
};

class AddLayer : public ImageLayer {
  public:
    explicit AddLayer(Act act) : act_(act) {}
    void run(const Images& x, const float* addend, const Images& y) override { add(x, addend, act_, y); }

  private:
    Act act_;
};

struct SequenceLayer {
    virtual ~SequenceLayer() = default;
    virtual int out_features() const = 0;
    virtual int in_features() const = 0;
    virtual void run(const float* x, int steps, int batch, float* y) = 0;
};

class LinearLayer : public SequenceLayer {
  public:
    LinearLayer(int in, int out, const float* weight, const float* bias) {
        weights_.pack(out, in, [=](int o, int k) { return weight[size_t(o) * in + k]; }, bias);
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
    BiLSTMLayer(int in, int hidden, const float* w_ih, const float* w_hh, const float* bias) : in_(in), hidden_(hidden) {
        lstm_.pack(in, hidden, w_ih, w_hh, bias);
    }
    int in_features() const override { return in_; }
    int out_features() const override { return 2 * hidden_; }
    void run(const float* x, int steps, int batch, float* y) override { lstm_.run(x, steps, batch, y); }

  private:
    int in_, hidden_;
    BiLSTM lstm_;
};

// Each step's features, then the largest of each over all steps of its sequence.
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

struct Shape {
    int steps, classes;
};

class Network {
  public:
    explicit Network(int channels) : channels_(channels) {}

    void add(std::unique_ptr<ImageLayer> layer, int from, int to, int addend) {
        const int known = int(values_.size());
        if (from < 0 || from >= known || addend >= known || to < 1 || to > known)
            throw std::invalid_argument("a layer names a value that does not exist");
        layer->from = from;
        layer->to = to;
        layer->addend = addend;
        if (to == known) values_.emplace_back(new Buffer);
        images_.push_back(std::move(layer));
    }
    void add(std::unique_ptr<SequenceLayer> layer) {
        if (!sequences_.empty() && sequences_.back()->out_features() != layer->in_features())
            throw std::invalid_argument("a sequence layer does not fit the one before it");
        sequences_.push_back(std::move(layer));
    }

    // Steps and classes for images of h x w pixels; raises std::invalid_argument where they are too small.
    Shape shape(int h, int w) const {
        const Images last = plan(1, h, w).back();
        const int features = last.channels * last.h;
        if (!sequences_.empty() && sequences_.front()->in_features() != features)
            throw std::invalid_argument("images of height " + std::to_string(h) + " give " + std::to_string(features) +
                                        " features a step, the sequence layers take " +
                                        std::to_string(sequences_.front()->in_features()));
        return {last.w, sequences_.empty() ? features : sequences_.back()->out_features()};
    }

    // x (n, channels, h, w) -> logits (steps, n, classes)
    void run(const float* x, int n, int h, int w, float* logits) {
        const Shape out = shape(h, w);
        const std::lock_guard<std::mutex> alone(mutex_);  // the scratch is shared
        for (int first = 0; first < n; first += SEQUENCES) {
            const int some = std::min(SEQUENCES, n - first);
            run_some(x + int64_t(first) * channels_ * h * w, some, h, w, out, logits + int64_t(first) * out.classes, n);
        }
    }

  private:
    static constexpr int SEQUENCES = 128;           // sequences taken through the LSTMs together
    static constexpr int IMAGES = 32;               // images taken through the convolutions together, at most,
    static constexpr size_t VALUE = size_t(1) << 23;  // and fewer where one value would pass so many floats

    int channels_;
    std::vector<std::unique_ptr<ImageLayer>> images_;
    std::vector<std::unique_ptr<SequenceLayer>> sequences_;
    std::vector<std::unique_ptr<Buffer>> values_ = first_value();  // value 0 is the input
    Buffer steps_[2];
    std::mutex mutex_;

    static std::vector<std::unique_ptr<Buffer>> first_value() {
        std::vector<std::unique_ptr<Buffer>> values;
        values.emplace_back(new Buffer);
        return values;
    }

    // Grey and colour pictures are not padded to whole vectors where only convolutions read them.
    bool bare_input() const {
        bool bare = channels_ < 4;
        for (const auto& layer : images_) bare &= layer->addend != 0 && (layer->from != 0 || layer->takes_unpadded());
        return bare;
    }

    // The input's shape, then every image layer's output's.
    std::vector<Images> plan(int n, int h, int w) const {
        std::vector<Images> value(values_.size());
        std::vector<Images> shapes{{nullptr, n, h, w, channels_, bare_input() ? channels_ : padded(channels_)}};
        value[0] = shapes[0];
        for (const auto& layer : images_) {
            const Images& x = value[layer->from];
            Images y{nullptr, n, layer->out_h(x.h), layer->out_w(x.w), layer->out_channels(x.channels), 0};
            y.stride = padded(y.channels);
            if (y.h < 1 || y.w < 1)
                throw std::invalid_argument("images of " + std::to_string(h) + " x " + std::to_string(w) +
                                            " pixels are too small for this network");
            if (layer->addend >= 0 && value[layer->addend].size() != y.size())
                throw std::invalid_argument("the two branches of a residual unit differ in shape");
            value[layer->to] = y;
            shapes.push_back(y);
        }
        return shapes;
    }

    void run_some(const float* x, int n, int h, int w, const Shape& out, float* logits, int batch) {
        const std::vector<Images> one = plan(1, h, w);
        size_t largest = 1;
        for (const Images& value : one) largest = std::max(largest, value.size());
        const int together = std::max(1, std::min(IMAGES, int(VALUE / largest)));
        const int features = one.back().channels * one.back().h;
        float* steps = steps_[0].need(size_t(out.steps) * n * features);
        for (int first = 0; first < n; first += together) {
            const int some = std::min(together, n - first);
            to_steps(run_images(x + int64_t(first) * channels_ * h * w, plan(some, h, w)), steps, n, first);
        }
        run_sequences(n, out, logits, batch);
    }

    Images run_images(const float* x, const std::vector<Images>& shapes) {
        std::vector<Images> value(values_.size());
        const auto place = [&](int number, const Images& shape) {
            value[number] = shape;
            value[number].data = values_[number]->need(shape.size());
            return value[number];
        };
        Images last = place(0, shapes[0]);
        from_planes(x, last);
        for (size_t i = 0; i < images_.size(); i++) {
            ImageLayer& layer = *images_[i];
            const float* addend = layer.addend < 0 ? nullptr : value[layer.addend].data;
            const Images from = value[layer.from];
            last = place(layer.to, shapes[i + 1]);
            layer.run(from, addend, last);
        }
        return last;
    }

    void run_sequences(int n, const Shape& out, float* logits, int batch) {
        int turn = 0;
        for (const auto& layer : sequences_) {
            float* to = steps_[1 - turn].need(size_t(out.steps) * n * layer->out_features());
            layer->run(steps_[turn].get(), out.steps, n, to);
            turn = 1 - turn;
        }
        const size_t row = size_t(n) * out.classes;
        for (int t = 0; t < out.steps; t++)
            std::memcpy(logits + size_t(t) * batch * out.classes, steps_[turn].get() + t * row, row * sizeof(float));
    }
};

}  // namespace crnn
