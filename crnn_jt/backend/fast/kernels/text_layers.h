// The image layers of a frozen network that look beyond a pixel's neighbours: those that see a map's pixels row by row
// as the steps of a sequence, and the sampler.
#pragma once
#include "attention.h"
#include "decoder.h"
#include "image_layers.h"
#include "sampler.h"
#include "text.h"

namespace crnn {

// As x, shapes and all.
struct AlikeLayer : public ImageLayer {
    Images shape(const Images* x) const override { return describe(x->n, x->h, x->w, x->channels); }
};

class LayerNormLayer : public AlikeLayer {
  public:
    LayerNormLayer(int channels, float eps, const float* weight, const float* bias)
        : eps_(eps), weight_(padded(channels)), bias_(padded(channels)) {
        std::copy(weight, weight + channels, weight_.begin());
        std::copy(bias, bias + channels, bias_.begin());
    }
    void run(const Images* x, const Images& y) override { layer_norm(*x, weight_.data(), bias_.data(), eps_, y); }

  private:
    float eps_;
    std::vector<float> weight_, bias_;
};

class SoftmaxLayer : public AlikeLayer {
  public:
    void run(const Images* x, const Images& y) override { softmax(*x, y); }
};

// A table (steps, channels), the same for every image: alone, or its first rows added to what comes in.
class TableLayer : public ImageLayer {
  public:
    TableLayer(int steps, int channels, bool added, const float* table)
        : steps_(steps), channels_(channels), added_(added), rows_(size_t(steps) * padded(channels)) {
        for (int t = 0; t < steps; t++)
            std::copy_n(table + size_t(t) * channels, channels, &rows_[size_t(t) * padded(channels)]);
    }
    Images shape(const Images* x) const override {
        if (!added_) return describe(x->n, 1, steps_, channels_);
        if (x->h * x->w > steps_)
            throw std::invalid_argument("holds " + std::to_string(steps_) + " steps, the sequence has " +
                                        std::to_string(x->h * x->w));
        if (x->channels != channels_) throw std::invalid_argument("a table of other features");
        return describe(x->n, x->h, x->w, channels_);
    }
    void run(const Images* x, const Images& y) override {
        const size_t count = size_t(y.h) * y.w * y.stride;
        for (int n = 0; n < y.n; n++) {
            float* to = y.pixel(n, 0, 0);
            if (!added_) std::copy_n(rows_.data(), count, to);
            for (size_t i = 0; added_ && i < count; i++) to[i] = x->data[n * count + i] + rows_[i];
        }
    }

  private:
    int steps_, channels_;
    bool added_;
    std::vector<float> rows_;
};

// Of queries, keys and values, channels from `first` on of the first three values that it reads; a fourth: see
// Attention.
class AttentionLayer : public ImageLayer {
  public:
    AttentionLayer(int heads, int features, float scale, bool diagonal, int query, int key, int value)
        : features_(features), first_{query, key, value}, attention_(heads, features, scale, diagonal) {}
    Images shape(const Images* x) const override {
        for (int i = 0; i < 3; i++)
            if (x[i].channels < first_[i] + features_) throw std::invalid_argument("attention to too few features");
        if (x[1].h * x[1].w != x[2].h * x[2].w) throw std::invalid_argument("not as many keys as values");
        return describe(x->n, x->h, x->w, features_);
    }
    void run(const Images* x, const Images& y) override {
        if (y.stride > y.channels)
            for (int64_t p = 0; p < int64_t(y.n) * y.h * y.w; p++)
                std::fill(y.data + p * y.stride + y.channels, y.data + (p + 1) * y.stride, 0.f);
        attention_.run(heads(x, 0), heads(x, 1), heads(x, 2), from.size() > 3 ? x + 3 : nullptr, y);
    }

  private:
    int features_, first_[3];
    Attention attention_;

    Heads heads(const Images* x, int i) const { return {x[i].data + first_[i], x[i].h * x[i].w, x[i].stride}; }
};

// Of a sequence and its keys the logits of a text.
class DecoderLayer : public ImageLayer {
  public:
    DecoderLayer(int features, int attention, int hidden, int classes, int steps, bool gru,
                 const DecoderWeights& weights)
        : decoder_(features, attention, hidden, classes, steps, gru, weights) {}
    Images shape(const Images* x) const override {
        if (x[0].channels != decoder_.features() || x[1].channels != decoder_.attention() ||
            x[0].h * x[0].w != x[1].h * x[1].w)
            throw std::invalid_argument("a decoder of another sequence");
        return describe(x->n, 1, decoder_.steps(), decoder_.classes());
    }
    void run(const Images* x, const Images& y) override { decoder_.run(x[0], x[1], y); }

  private:
    Decoder decoder_;
};

class TextLengthsLayer : public ImageLayer {
  public:
    Images shape(const Images* x) const override { return describe(x->n, 1, 1, 1); }
    void run(const Images* x, const Images& y) override { text_lengths(*x, y); }
};

class BlendLayer : public AlikeLayer {
  public:
    Images shape(const Images* x) const override {
        expect_alike(x + 1, *x);
        expect_alike(x + 2, *x);
        return AlikeLayer::shape(x);
    }
    void run(const Images* x, const Images& y) override { blend(x[0], x[1], x[2], y); }
};

// What a picture shows at places that are given, or depend on how far a second value moves some points.
class SampleLayer : public ImageLayer {
  public:
    SampleLayer(int h, int w, int points, bool clipped, const float* places, const float* spline)
        : h_(h), w_(w), points_(points) {
        sampler_.pack(h, w, points, clipped, places, spline);
    }
    Images shape(const Images* x) const override {
        if (points_ && (x[1].h * x[1].w != 1 || x[1].channels != 2 * points_))
            throw std::invalid_argument("a spline of other points");
        return describe(x->n, h_, w_, x->channels);
    }
    bool takes_unpadded() const override { return true; }
    bool makes_unpadded() const override { return true; }
    void run(const Images* x, const Images& y) override { sampler_.run(*x, points_ ? x + 1 : nullptr, y); }

  private:
    int h_, w_, points_;
    Sampler sampler_;
};

// Columns up to a multiple of so many, or where that is 0 as many as a second value has.
class FitColumnsLayer : public ImageLayer {
  public:
    explicit FitColumnsLayer(int multiple) : multiple_(multiple) {}
    Images shape(const Images* x) const override {
        return describe(x->n, x->h, multiple_ ? round_up(x->w, multiple_) : x[1].w, x->channels);
    }
    void run(const Images* x, const Images& y) override { fit_columns(*x, y); }

  private:
    int multiple_;
};

}  // namespace crnn
