// The layers of a frozen network whose products have 8 bits, among image and sequence layers.
#pragma once
#include "image_layers.h"
#include "int8_depthwise.h"
#include "sequence_layers.h"

namespace crnn {

// Channels-last levels.
struct LevelImages {
    Level* data;
    int n, h, w, stride;
    Level* pixel(int image, int i, int j) const { return data + ((size_t(image) * h + i) * w + j) * stride; }
};

// Images as levels, those of floats rounded now, in a frame of zeros in `memory`: `top` pixels above and below, `side`
// left and right.
static inline LevelImages frame_levels(const Images& x, const Rounding& r, int top, int side, Buffer& memory) {
    LevelImages big{levels_of(x), x.n, x.h + 2 * top, x.w + 2 * side, x.stride};
    if (x.rounded && !top && !side) return big;
    const int64_t row = int64_t(big.w) * big.stride, edge = int64_t(side) * big.stride, inner = row - 2 * edge;
    big.data = need_levels(memory, size_t(big.n) * big.h * row);
#pragma omp parallel for collapse(2) schedule(static)
    for (int n = 0; n < x.n; n++)
        for (int i = 0; i < big.h; i++) {
            Level* to = big.pixel(n, i, 0);
            const int from = i - top;
            if (from < 0 || from >= x.h) {
                std::fill(to, to + row, Level(ZERO));
                continue;
            }
            std::fill(to, to + edge, Level(ZERO));
            const size_t at = (size_t(n) * x.h + from) * inner;
            if (x.rounded) std::memcpy(to + edge, levels_of(x) + at, inner * sizeof(Level));
            else round_row(x.data + at, inner, r, to + edge);
            std::fill(to + row - edge, to + row, Level(ZERO));
        }
    return big;
}

// How whole sums leave an image layer: act(sum * scale + bias), where nothing more is `added`, to floats or levels.
struct Leaving {
    Act act;
    Rounding goes;
    bool added = false;

    // Whether scale and bias count in the levels that go out, so that nothing is left to do but to round and to clip.
    bool in_levels() const { return goes.on() && !added && (act == Act::none || clips(act)); }
    std::vector<float> count(std::vector<float> scale_or_bias) const {
        for (float& value : scale_or_bias) value /= in_levels() ? goes.step : 1;
        return scale_or_bias;
    }
    // To y, from its first value on.
    LevelTarget target(const Images& y, const float* scale, const float* bias) const {
        LevelTarget to{y.data, y.stride, y.stride, scale, bias};
        to.levels = goes.on();
        to.act = in_levels() ? Act::none : act;
        to.per_level = goes.on() && !in_levels() ? 1 / goes.step : 1;
        to.low = in_levels() && clips(act) ? 0 : -goes.bound;
        to.high = goes.bound;
        if (in_levels() && act == Act::relu6) to.high = std::min(to.high, std::nearbyint(6 / goes.step));
        return to;
    }
};

// A convolution of any kernel, stride and padding with what is fused into it, from floats or levels to floats or
// levels.
class Int8ConvLayer : public ImageLayer {
  public:
    // Whole numbers `weight` (out, in, kh, kw); a sum times `scale` + `bias` (out,) is the output.
    Int8ConvLayer(int in, int out, Window window, Fused fused, Rounding comes, Rounding goes, const float* weight,
                  const float* scale, const float* bias)
        : in_(in),
          out_(out),
          window_(window),
          fused_(fused),
          comes_(comes),
          goes_(goes),
          weight_(weight, weight + size_t(out) * in * window.kh * window.kw),
          scale_(scale, scale + out),
          bias_(bias, bias + out) {}

    Images shape(const Images* x) const override {
        if (x->channels != in_) throw std::invalid_argument("a convolution of other channels");
        Images y = describe(x->n, window_.out_h(x->h) / fused_.pool_h, window_.out_w(x->w) / fused_.pool_w, out_);
        expect_alike(second(x), y);
        y.rounded = goes_.on();
        return y;
    }
    bool takes_unpadded() const override { return true; }
    bool takes_rounded() const override { return true; }

    void run(const Images* sources, const Images& y) override {
        const Images* addend = second(sources);
        if (weights_.empty()) pack(sources->stride);
        LevelImages x = frame_levels(*sources, comes_, window_.ph, window_.pw, frame_);
        const int64_t pixels = int64_t(x.n) * x.h * x.w;
        if (flat()) {  // single pixels do not care where a row ends, nor an image: they are shared out in blocks
            const int block = int(std::clamp<int64_t>((pixels + threads() - 1) / threads(), TILE_ROWS, BLOCK));
            x = {x.data, 1, int((pixels + block - 1) / block), block, x.stride};
        }
        const int rows = (x.h - window_.kh) / window_.sh + 1, width = (x.w - window_.kw) / window_.sw + 1;
        const size_t scratch = fused_.pools() ? size_t(fused_.pool_h) * width * PANEL : 0;
        float* all = rows_.need(threads() * scratch + 1);
#pragma omp parallel for collapse(3) schedule(static)
        for (int p = 0; p < weights_.panels().count; p++)
            for (int n = 0; n < x.n; n++)
                for (int i = 0; i < rows / fused_.pool_h; i++) {
                    const int64_t first = (int64_t(n) * rows + i) * width;
                    const int count = flat() ? int(std::min<int64_t>(width, pixels - first)) : width;
                    if (fused_.pools()) pooled(x, p, n, i, width, all + omp_get_thread_num() * scratch, y);
                    else multiply(x, p, n, i, count, target(p, y, addend, first));
                }
    }

  private:
    static constexpr int BLOCK = 192;  // pixels that stay in the second-level cache from panel to panel

    int in_, out_;
    Window window_;
    Fused fused_;
    Rounding comes_, goes_;
    std::vector<float> weight_, scale_, bias_;  // as given
    LevelWeights weights_;
    Buffer frame_, rows_;

    bool flat() const {
        const Window& w = window_;
        return w.kh == 1 && w.kw == 1 && w.sh == 1 && w.sw == 1 && !w.ph && !w.pw && !fused_.pools();
    }
    Leaving leaving() const { return {fused_.act, goes_, from.size() > 1}; }

    void pack(int stride) {
        const int kw = window_.kw, size = window_.kh * kw, pixel = kw == 1 ? in_ : stride;
        const auto weight = [=](int o, int u, int k) {
            const int c = k % pixel;
            return c < in_ ? weight_[(size_t(o) * in_ + c) * size + u * kw + k / pixel] : 0.f;
        };
        const std::vector<float> scale = leaving().count(scale_), bias = leaving().count(bias_);
        weights_.pack(out_, window_.kh, kw * pixel, weight, scale.data(), bias.data());
    }

    // Of panel p, from pixel number `pixel` of y on.
    LevelTarget target(int p, const Images& y, const Images* addend, int64_t pixel) const {
        LevelTarget to = leaving().target(y, weights_.scale(p), weights_.bias(p));
        to.addend = addend ? addend->data : nullptr;
        return to.from(pixel * y.stride + p * PANEL);
    }

    // A row of outputs, `count` of them. Rows of the kernel that lie in the frame would add nothing and are left out.
    void multiply(const LevelImages& x, int p, int n, int i, int count, const LevelTarget& to) const {
        const int top = i * window_.sh, first = std::clamp(window_.ph - top, 0, window_.kh - 1);
        const int last = std::clamp(x.h - window_.ph - top, first + 1, window_.kh);
        alignas(64) int32_t begin[PANEL];
        weights_.begin(p, first, last, begin);
        const LevelSource from{x.pixel(n, top + first, 0), int64_t(window_.sw) * x.stride, weights_.depth(),
                               last - first, int64_t(x.w) * x.stride};
        int8_product(count, from, weights_.panel(p, first), weights_.panels().vecs_of(p), begin, to);
    }

    // The rows under one row of pooling windows go to a scratch that stays in the cache, and from there to y.
    void pooled(const LevelImages& x, int p, int n, int i, int width, float* part, const Images& y) const {
        LevelTarget to = target(p, y, nullptr, 0);
        to.row_stride = PANEL;
        const size_t row = size_t(width) * PANEL;
        for (int r = 0; r < fused_.pool_h; r++) {
            to.rows = goes_.on() ? static_cast<void*>(reinterpret_cast<Level*>(part) + r * row) : part + r * row;
            multiply(x, p, n, i * fused_.pool_h + r, width, to);
        }
        const int vecs = weights_.panels().vecs_of(p);
        const int64_t at = y.pixel(n, i, 0) - y.data + p * PANEL;
        if (goes_.on()) pool_rows<LevelVec>(reinterpret_cast<Level*>(part), row, vecs, y, levels_of(y) + at);
        else pool_rows<Vec>(part, row, vecs, y, y.data + at);
    }
    template <class V, class T>
    void pool_rows(const T* part, size_t row, int vecs, const Images& y, T* to) const {
        typedef V Unaligned __attribute__((aligned(1), may_alias));
        for (int j = 0; j < y.w; j++, part += fused_.pool_w * PANEL, to += y.stride)
            for (int v = 0; v < vecs; v++) {
                V best = *(const Unaligned*)(part + v * LANES);
                for (int a = 0; a < fused_.pool_h; a++)
                    for (int b = 0; b < fused_.pool_w; b++) {
                        const V other = *(const Unaligned*)(part + a * row + b * PANEL + v * LANES);
                        best = best > other ? best : other;
                    }
                *(Unaligned*)(to + v * LANES) = best;
            }
    }
};

class Int8DepthwiseLayer : public ImageLayer {
  public:
    // Whole numbers `weight` (channels, kh, kw); scale and bias (channels,).
    Int8DepthwiseLayer(int channels, Window window, Act act, Rounding comes, Rounding goes, const float* weight,
                       const float* scale, const float* bias)
        : channels_(channels), window_(window), comes_(comes), leaving_{act, goes} {
        conv_.pack(channels, window, weight);
        scale_ = leaving_.count({scale, scale + channels});
        bias_ = leaving_.count({bias, bias + channels});
        scale_.resize(padded(channels));
        bias_.resize(padded(channels));
    }
    Images shape(const Images* x) const override {
        if (x->channels != channels_) throw std::invalid_argument("a depthwise convolution of other channels");
        Images y = describe(x->n, window_.out_h(x->h), window_.out_w(x->w), channels_);
        y.rounded = leaving_.goes.on();
        return y;
    }
    bool takes_rounded() const override { return true; }

    // Image by image, so that its levels stay in a thread's cache: several by one thread each, or one by all of them.
    void run(const Images* x, const Images& y) override {
        const LevelTarget target = leaving_.target(y, scale_.data(), bias_.data());
        const size_t lanes = conv_.lanes(*x);
        const bool many = x->n >= threads();
        auto* all = reinterpret_cast<int32_t*>(groups_.need((many ? threads() : 1) * lanes));
#pragma omp parallel for schedule(static) if (many)
        for (int n = 0; n < x->n; n++) {
            const RowGroups rows = conv_.group(*x, n, comes_, all + (many ? omp_get_thread_num() : 0) * lanes);
            conv_.run(rows, y, target.from(int64_t(n) * y.h * y.w * y.stride));
        }
    }

  private:
    int channels_;
    Window window_;
    Rounding comes_;
    Leaving leaving_;
    LevelDepthwise conv_;
    std::vector<float> scale_, bias_;
    Buffer groups_;
};

// x * gate, rounded: the gate of one pixel for all or of the same size.
class Int8GateLayer : public ImageLayer {
  public:
    explicit Int8GateLayer(Rounding goes) : goes_(goes) {}
    Images shape(const Images* x) const override {
        const Images& gate = x[1];
        Images y = describe(x->n, x->h, x->w, x->channels);
        if (gate.h * gate.w > 1 || gate.channels != y.channels) expect_alike(&gate, y);
        y.rounded = true;
        return y;
    }
    void run(const Images* x, const Images& y) override {
        const Images& gate = x[1];
        const int64_t pixels = int64_t(y.h) * y.w, step = gate.h * gate.w == 1 ? 0 : gate.stride;
        const Vec low = splat(-goes_.bound), high = splat(goes_.bound);
#pragma omp parallel for collapse(2) schedule(static) if (y.size() > SMALL)
        for (int n = 0; n < y.n; n++)
            for (int64_t p = 0; p < pixels; p++) {
                const int64_t at = (n * pixels + p) * y.stride;
                const float *from = x->data + at, *by = gate.pixel(n, 0, 0) + p * step;
                for (int c = 0; c < y.stride; c += LANES) {
                    const Vec value = apart(load(from + c) * load(by + c)) * goes_.per_step();
                    *(LevelVecUnaligned*)(levels_of(y) + at + c) = to_levels(value, low, high);
                }
            }
    }

  private:
    static constexpr size_t SMALL = size_t(1) << 15;
    Rounding goes_;
};

// Floats that are rounded to levels and stay floats, for layers whose products have no kernel in 8 bits.
class RoundLayer : public ImageLayer {
  public:
    explicit RoundLayer(Rounding r) : r_(r) {}
    Images shape(const Images* x) const override { return describe(x->n, x->h, x->w, x->channels); }
    void run(const Images* x, const Images& y) override {
        const int64_t vectors = int64_t(x->size()) / LANES;
#pragma omp parallel for schedule(static)
        for (int64_t i = 0; i < vectors; i++) {
            const Vec levels = load(x->data + i * LANES) * r_.per_step();
            const IntVec whole = nearest(min(max(levels, splat(-r_.bound)), splat(r_.bound)));
            store(y.data + i * LANES, __builtin_convertvector(whole, Vec) * r_.step);
        }
    }

  private:
    Rounding r_;
};

// y (rows, y_stride) = x (rows, depth), rounded, . weights + bias; exactly `columns` floats of each row are written.
class Int8Linear {
  public:
    // weight(o, k): whole numbers; scale and bias (columns,).
    template <class Weight>
    void pack(int columns, int depth, Rounding comes, const Weight& weight, const float* scale, const float* bias) {
        depth_ = depth;
        comes_ = comes;
        const auto row = [&](int o, int, int k) { return weight(o, k); };
        weights_.pack(columns, 1, depth, row, scale, bias);
        for (int p = 0; p < weights_.panels().count; p++)
            weights_.begin(p, 0, 1, reinterpret_cast<int32_t*>(begins_.need(weights_.panels().columns())) + p * PANEL);
    }
    int depth() const { return depth_; }
    int columns() const { return weights_.columns(); }

    void run(const float* x, int rows, float* y, int64_t y_stride) {
        const int block = std::max(TILE_ROWS, std::min(rows, BLOCK)), blocks = (rows + block - 1) / block;
        const int stride = round_up(depth_, GROUP);
        Level* levels = need_levels(levels_, size_t(rows) * stride);
#pragma omp parallel for schedule(static)
        for (int r = 0; r < rows; r++) round_row(x + int64_t(r) * depth_, depth_, comes_, levels + int64_t(r) * stride);
#pragma omp parallel for collapse(2) schedule(static)
        for (int p = 0; p < weights_.panels().count; p++)
            for (int b = 0; b < blocks; b++) {
                const int first = b * block, count = std::min(block, rows - first);
                const LevelTarget to{y + first * y_stride + p * PANEL, y_stride, columns() - p * PANEL,
                                     weights_.scale(p), weights_.bias(p)};
                int8_product(count, {levels + int64_t(first) * stride, stride, weights_.depth()}, weights_.panel(p),
                             weights_.panels().vecs_of(p), reinterpret_cast<int32_t*>(begins_.get()) + p * PANEL, to);
            }
    }

  private:
    static constexpr int BLOCK = 192;
    int depth_ = 0;
    Rounding comes_;
    LevelWeights weights_;
    Buffer levels_, begins_;
};

class Int8LinearLayer : public SequenceLayer {
  public:
    Int8LinearLayer(int in, int out, Rounding comes, const float* weight, const float* scale, const float* bias) {
        const auto at = [=](int o, int k) { return weight[size_t(o) * in + k]; };
        product_.pack(out, in, comes, at, scale, bias);
    }
    int in_features() const override { return product_.depth(); }
    int out_features() const override { return product_.columns(); }
    void run(const float* x, int steps, int batch, float* y) override {
        product_.run(x, steps * batch, y, out_features());
    }

  private:
    Int8Linear product_;
};

}  // namespace crnn
