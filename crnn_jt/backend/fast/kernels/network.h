// A frozen network: parts, each of image layers and then sequence layers, run on batches of any size.
//
// It knows layers, not stages. The builder (crnn_jt/freeze) has folded what can be folded and numbered the values of
// the image layers; sequence layers form a chain. Between parts, and after image layers, stand steps (steps, batch,
// features); the next part's image layers take those row by row as maps again.
#pragma once
#include <mutex>

#include "maps.h"
#include "sequence_layers.h"

namespace crnn {

struct Part {
    int rows = 0;  // of the maps that steps are read as; 0 for pictures
    Maps maps;
    Order order = Order::columns;
    std::vector<std::unique_ptr<SequenceLayer>> chain;
};

// Of pictures and maps, and what a network gives for a batch of n: maps (n, channels, h, w), or w steps of channels
// features (h = 1).
struct Shape {
    int channels, h, w;
    bool maps = true;
    size_t size() const { return size_t(channels) * h * w; }
};

class Network {
  public:
    explicit Network(int channels) : channels_(channels), parts_(1) {}

    void add(std::unique_ptr<ImageLayer> layer, std::vector<int> from, int to) {
        if (!parts_.back().chain.empty()) throw std::invalid_argument("an image layer needs maps before it");
        parts_.back().maps.add(std::move(layer), std::move(from), to);
    }
    void add(std::unique_ptr<SequenceLayer> layer) {
        auto& chain = parts_.back().chain;
        if (!chain.empty() && chain.back()->out_features() != layer->in_features())
            throw std::invalid_argument("a sequence layer does not fit the one before it");
        chain.push_back(std::move(layer));
    }
    // The image layers so far end thus.
    void end_maps(Order order) { parts_.back().order = order; }
    // The steps so far are read as maps of that many rows, value 0 of the image layers that follow.
    void begin_maps(int rows) {
        if (rows < 1) throw std::invalid_argument("maps take one row or more");
        parts_.emplace_back();
        parts_.back().rows = rows;
    }

    // For images of h x w pixels; raises std::invalid_argument where they do not fit.
    Shape shape(int h, int w) const {
        Shape found{channels_, h, w};
        for (const Part& part : parts_) found = after(part, before(part, found));
        return found;
    }

    // x (n, channels, h, w) -> steps (steps, n, features) or maps (n, channels, h, w)
    void run(const float* x, int n, int h, int w, float* out) {
        const Shape picture{channels_, h, w}, result = shape(h, w);
        const std::lock_guard<std::mutex> alone(mutex_);  // the scratch is shared
        for (int first = 0; first < n; first += SEQUENCES)
            run_some(x + first * picture.size(), std::min(SEQUENCES, n - first), picture, result, out, first, n);
    }

  private:
    static constexpr int SEQUENCES = 128;             // sequences taken through the LSTMs together
    static constexpr int IMAGES = 32;                 // images taken through the convolutions together, at most,
    static constexpr size_t VALUE = size_t(1) << 20;  // and fewer where one value would pass this many floats

    int channels_;
    std::vector<Part> parts_;
    Buffer steps_[2];
    std::mutex mutex_;

    // What a part's image layers read, of what came before it.
    static Shape before(const Part& part, const Shape& x) {
        if (!part.rows) return x;
        if (x.w % part.rows) throw std::invalid_argument("the steps do not make whole rows of a map");
        return {x.channels, part.rows, x.w / part.rows};
    }
    // And what it makes of it.
    Shape after(const Part& part, const Shape& x) const {
        const Images last = part.maps.plan(1, x.channels, x.h, x.w).back();
        if (&part == &parts_.back() && part.chain.empty() && part.order == Order::maps)
            return {last.channels, last.h, last.w};
        const Steps steps = count_steps(last, part.order);
        if (part.chain.empty()) return {steps.features, 1, steps.count, false};
        const int wanted = part.chain.front()->in_features();
        if (wanted != steps.features)
            throw std::invalid_argument("images of height " + std::to_string(x.h) + " give " +
                                        std::to_string(steps.features) + " features a step, the sequence layers take " +
                                        std::to_string(wanted));
        return {part.chain.back()->out_features(), 1, steps.count, false};
    }

    // Images first..first+n of a batch, of which x are the first.
    void run_some(const float* x, int n, Shape shape, const Shape& result, float* out, int first, int batch) {
        int turn = 0;
        for (Part& part : parts_) {
            const Shape from = before(part, shape);
            shape = after(part, from);
            run_maps(part, x, n, from, turn, shape.maps ? out + first * shape.size() : nullptr);
            turn = 1 - turn;
            for (const auto& layer : part.chain) {
                float* to = steps_[1 - turn].need(size_t(shape.w) * n * layer->out_features());
                layer->run(steps_[turn].get(), shape.w, n, to);
                turn = 1 - turn;
            }
        }
        if (result.maps) return;
        const size_t row = size_t(n) * result.channels;
        for (int t = 0; t < result.w; t++)
            std::memcpy(out + (size_t(t) * batch + first) * result.channels, steps_[turn].get() + t * row,
                        row * sizeof(float));
    }

    // A part's image layers, some images at a time, from pictures x or the steps in steps_[turn] to maps `out`, or to
    // the other steps.
    void run_maps(Part& part, const float* x, int n, const Shape& from, int turn, float* out) {
        const std::vector<Images> one = part.maps.plan(1, from.channels, from.h, from.w);
        size_t largest = 1;
        for (const Images& value : one) largest = std::max(largest, value.size());
        const int together = std::max(1, std::min(IMAGES, int(VALUE / largest)));
        const Steps size = count_steps(one.back(), part.order);
        float* steps = out ? nullptr : steps_[1 - turn].need(size_t(size.count) * size.features * n);
        for (int first = 0; first < n; first += together) {
            const auto fill = [&](const Images& value) {
                if (part.rows) from_steps(steps_[turn].get(), n, first, value);
                else nchw_to_nhwc(x + first * from.size(), value);
            };
            const int some = std::min(together, n - first);
            const Images y = part.maps.run(part.maps.plan(some, from.channels, from.h, from.w), fill);
            if (out) nhwc_to_nchw(y, out + size_t(first) * y.channels * y.h * y.w);
            else to_steps(y, part.order, steps, n, first);
        }
    }
};

}  // namespace crnn
