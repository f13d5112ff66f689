// A frozen network: parts, each of image layers and then sequence layers, run on batches of any size.
//
// It knows layers, not stages. The builder (crnn_jt/freeze) has folded what can be folded and numbered the values of
// the image layers; sequence layers form a chain. Between parts, and after image layers, stand steps (steps, batch,
// features); the next part's image layers take those row by row as maps again.
#pragma once
#include <functional>
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
        const size_t size = Shape{channels_, h, w}.size();
        run([=](int first, const Images& y) { nchw_to_nhwc(x + first * size, y); }, n, h, w, out);
    }
    // As of the levels (n, rows, columns, channels) scaled to [-1, 1], with zeros below and beside them.
    void run(const uint8_t* levels, int rows, int columns, int n, int h, int w, float* out) {
        if (rows > h || columns > w) throw std::invalid_argument("pictures are larger than what they are padded to");
        const size_t size = size_t(rows) * columns * channels_;
        run([=](int first, const Images& y) { levels_to_nhwc(levels + first * size, rows, columns, y); }, n, h, w, out);
    }

  private:
    static constexpr int SEQUENCES = 128;             // sequences taken through the LSTMs together, at most,
    static constexpr int STEPS = 1 << 13;             // and fewer where they would have more steps than this
    static constexpr int IMAGES = 32;                 // images taken through the convolutions together, at most,
    static constexpr size_t VALUE = size_t(1) << 20;  // and fewer where one value would pass this many floats

    // Writes some images of the batch, from the `first` on.
    using Fill = std::function<void(int first, const Images& y)>;

    void run(const Fill& fill, int n, int h, int w, float* out) {
        const Shape picture{channels_, h, w}, result = shape(h, w);
        const std::lock_guard<std::mutex> alone(mutex_);  // layers have scratch of their own
        const Lease lease;
        const int together = std::clamp(STEPS / result.w, 1, SEQUENCES);
        for (int first = 0; first < n; first += together) {
            const Arena::Mark mark = lease.arena().mark();
            run_some(fill, std::min(together, n - first), picture, result, out, first, n, lease.arena());
            lease.arena().back_to(mark);
        }
    }

    int channels_;
    std::vector<Part> parts_;
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

    // Steps, which every layer reads from one place and writes to another.
    struct Chain {
        Arena& arena;
        float* data[2] = {nullptr, nullptr};
        size_t size[2] = {0, 0};
        int turn = 0;

        const float* last() const { return data[turn]; }
        float* next(size_t floats) {
            const int other = 1 - turn;
            if (floats > size[other]) {
                data[other] = arena.take(floats);
                size[other] = floats;
            }
            return data[other];
        }
        void pass() { turn = 1 - turn; }
    };

    // Images first..first+n of a batch.
    void run_some(const Fill& fill, int n, Shape shape, const Shape& result, float* out, int first, int batch,
                  Arena& arena) {
        Chain steps{arena};
        for (Part& part : parts_) {
            const Shape from = before(part, shape);
            shape = after(part, from);
            const Fill fill_some = [&](int some, const Images& y) {
                if (part.rows) from_steps(steps.last(), n, some, y);
                else fill(first + some, y);
            };
            run_maps(part, fill_some, n, from, steps, shape.maps ? out + first * shape.size() : nullptr);
            for (const auto& layer : part.chain) {
                layer->run(steps.last(), shape.w, n, steps.next(size_t(shape.w) * n * layer->out_features()));
                steps.pass();
            }
        }
        if (result.maps) return;
        const size_t row = size_t(n) * result.channels;
        for (int t = 0; t < result.w; t++)
            std::memcpy(out + (size_t(t) * batch + first) * result.channels, steps.last() + t * row,
                        row * sizeof(float));
    }

    // A part's image layers, some images at a time, to maps `out` or to the next steps.
    void run_maps(Part& part, const Fill& fill, int n, const Shape& from, Chain& steps, float* out) {
        const std::vector<Images> one = part.maps.plan(1, from.channels, from.h, from.w);
        size_t largest = 1;
        for (const Images& value : one) largest = std::max(largest, value.size());
        const int together = std::max(1, std::min(IMAGES, int(VALUE / largest)));
        const Steps size = count_steps(one.back(), part.order);
        float* to = out ? nullptr : steps.next(size_t(size.count) * size.features * n);
        for (int first = 0; first < n; first += together) {
            const Arena::Mark mark = steps.arena.mark();
            const int some = std::min(together, n - first);
            const Images y = part.maps.run(part.maps.plan(some, from.channels, from.h, from.w), steps.arena,
                                           [&](const Images& value) { fill(first, value); });
            if (out) nhwc_to_nchw(y, out + size_t(first) * y.channels * y.h * y.w);
            else to_steps(y, part.order, to, n, first);
            steps.arena.back_to(mark);
        }
        if (!out) steps.pass();
    }
};

}  // namespace crnn
