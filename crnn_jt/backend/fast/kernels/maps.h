// Image layers on numbered values: value 0 comes in, every layer reads some and writes another, the last is the result.
#pragma once
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "image_layers.h"

namespace crnn {

class Maps {
  public:
    void add(std::unique_ptr<ImageLayer> layer, std::vector<int> from, int to) {
        const int known = count_;
        bool there = to >= 1 && to <= known;
        for (int source : from) there &= source >= 0 && source < known && source != to;
        if (!there) throw std::invalid_argument("a layer names a value that does not exist");
        layer->from = std::move(from);
        layer->to = to;
        count_ = std::max(count_, to + 1);
        layers_.push_back(std::move(layer));
    }

    // The input's shape, then every layer's output's.
    std::vector<Images> plan(int n, int channels, int h, int w) const {
        std::vector<Images> value(count_), shapes{describe(n, h, w, channels)};
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

    // `fill` writes what comes in. The result lies in the arena.
    template <class Fill>
    Images run(const std::vector<Images>& shapes, Arena& arena, const Fill& fill) {
        const Places places = place(shapes);
        float* memory = arena.take(places.size);
        std::vector<Images> value(count_);
        Images result = value[0] = at(shapes[0], memory + places.outputs[0]);
        fill(result);
        for (size_t i = 0; i < layers_.size(); i++) {
            ImageLayer& layer = *layers_[i];
            const std::vector<Images> from = sources(layer, value);
            result = value[layer.to] = at(shapes[i + 1], memory + places.outputs[i + 1]);
            layer.scratch = memory + places.scratch[i];
            layer.run(from.data(), result);
        }
        return result;
    }

  private:
    static constexpr int FEW = 4;  // fewer channels need not be padded to whole vectors

    std::vector<std::unique_ptr<ImageLayer>> layers_;
    int count_ = 1;  // values

    // Where what comes in, what each layer makes and its scratch lie in the memory of a run, in floats.
    struct Places {
        std::vector<size_t> outputs, scratch;
        size_t size = 0;
    };

    // What is needed at the same time lies apart: the largest first, each in the first gap that is wide enough.
    Places place(const std::vector<Images>& shapes) const {
        const int count = int(layers_.size());
        std::vector<Piece> pieces;  // what comes in and what the layers make, then their scratch
        const std::vector<int> last = last_readers();
        for (int i = 0; i <= count; i++) pieces.push_back({shapes[i].size(), i - 1, std::max(last[i], i - 1)});
        std::vector<Images> value(count_);
        value[0] = shapes[0];
        for (int i = 0; i < count; i++) {
            pieces.push_back({layers_[i]->scratch_size(sources(*layers_[i], value).data()), i, i});
            value[layers_[i]->to] = shapes[i + 1];
        }
        std::vector<Piece*> order, placed;  // the latter by where they begin
        for (Piece& piece : pieces) order.push_back(&piece);
        std::stable_sort(order.begin(), order.end(), [](Piece* a, Piece* b) { return a->size > b->size; });
        Places places;
        for (Piece* piece : order) {
            const size_t wanted = (piece->size + 2 * GAP - 1) / GAP * GAP;  // a vector may read past the end
            for (const Piece* other : placed)
                if (other->first <= piece->last && piece->first <= other->last && other->begin < piece->begin + wanted)
                    piece->begin = std::max(piece->begin, other->end);
            piece->end = piece->begin + wanted;
            const auto before = [](const Piece* a, const Piece* b) { return a->begin < b->begin; };
            placed.insert(std::upper_bound(placed.begin(), placed.end(), piece, before), piece);
            places.size = std::max(places.size, piece->end);
        }
        for (int i = 0; i <= count; i++) places.outputs.push_back(pieces[i].begin);
        for (int i = 0; i < count; i++) places.scratch.push_back(pieces[count + 1 + i].begin);
        return places;
    }
    static constexpr size_t GAP = 16;

    struct Piece {
        size_t size;
        int first, last;  // the layers that need it
        size_t begin = 0, end = 0;
    };

    // The last layer that reads what comes in, and what each layer makes; of the result, none comes after it.
    std::vector<int> last_readers() const {
        std::vector<int> last{-1}, holds(count_, 0);  // a value holds what layer holds - 1 made
        for (int i = 0; i < int(layers_.size()); i++) {
            for (int source : layers_[i]->from) last[holds[source]] = i;
            last.push_back(i);
            holds[layers_[i]->to] = i + 1;
        }
        last.back() = int(layers_.size());
        return last;
    }

    static Images at(Images shape, float* data) {
        shape.data = data;
        return shape;
    }

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
