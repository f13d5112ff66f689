// Image layers on numbered values: value 0 comes in, every layer reads some and writes another, the last is the result.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "image_layers.h"

namespace crnn {

class Maps {
  public:
    Maps() { values_.emplace_back(new Buffer); }

    void add(std::unique_ptr<ImageLayer> layer, std::vector<int> from, int to) {
        const int known = int(values_.size());
        bool there = to >= 1 && to <= known;
        for (int source : from) there &= source >= 0 && source < known && source != to;
        if (!there) throw std::invalid_argument("a layer names a value that does not exist");
        layer->from = std::move(from);
        layer->to = to;
        if (to == known) values_.emplace_back(new Buffer);
        layers_.push_back(std::move(layer));
    }

    // The input's shape, then every layer's output's.
    std::vector<Images> plan(int n, int channels, int h, int w) const {
        std::vector<Images> value(values_.size()), shapes{describe(n, h, w, channels)};
        if (bare(-1, channels)) shapes[0].stride = channels;
        value[0] = shapes[0];
        for (size_t i = 0; i < layers_.size(); i++) {
            const std::vector<Images> from = sources(*layers_[i], value);
            for (size_t k = 0; k < from.size(); k++)
                if (from[k].rounded && (k > 0 || !layers_[i]->takes_rounded()))
                    throw std::invalid_argument("a layer of floats reads levels of 8 bits");
            Images y = layers_[i]->shape(from.data());
            if (y.h < 1 || y.w < 1)
                throw std::invalid_argument("images of " + std::to_string(h) + " x " + std::to_string(w) +
                                            " pixels are too small for this network");
            if (bare(int(i), y.channels)) y.stride = y.channels;
            value[layers_[i]->to] = y;
            shapes.push_back(y);
        }
        return shapes;
    }

    // `fill` writes what comes in. The result lies in this object's memory until the next run.
    template <class Fill>
    Images run(const std::vector<Images>& shapes, const Fill& fill) {
        std::vector<Images> value(values_.size());
        const auto place = [&](int number, const Images& shape) {
            value[number] = shape;
            value[number].data = values_[number]->need(shape.size());
            return value[number];
        };
        Images result = place(0, shapes[0]);
        fill(result);
        for (size_t i = 0; i < layers_.size(); i++) {
            const std::vector<Images> from = sources(*layers_[i], value);
            result = place(layers_[i]->to, shapes[i + 1]);
            layers_[i]->run(from.data(), result);
        }
        return result;
    }

  private:
    static constexpr int FEW = 4;  // fewer channels need not be padded to whole vectors

    std::vector<std::unique_ptr<ImageLayer>> layers_;
    std::vector<std::unique_ptr<Buffer>> values_;

    static std::vector<Images> sources(const ImageLayer& layer, const std::vector<Images>& value) {
        std::vector<Images> found;
        for (int number : layer.from) found.push_back(value[number]);
        return found;
    }

    // Grey and colour pictures, and other outputs of few channels, are not padded where all that read them allow it.
    // `maker` is the number of a layer, -1 for what comes in.
    bool bare(int maker, int channels) const {
        if (channels >= FEW || (maker >= 0 && !layers_[maker]->makes_unpadded())) return false;
        const int number = maker < 0 ? 0 : layers_[maker]->to;
        for (size_t i = maker + 1; i < layers_.size(); i++) {
            const ImageLayer& layer = *layers_[i];
            for (size_t k = 0; k < layer.from.size(); k++)
                if (layer.from[k] == number && (k > 0 || !layer.takes_unpadded())) return false;
            if (layer.to == number) break;
        }
        return true;
    }
};

}  // namespace crnn
