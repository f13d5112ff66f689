// The image layers of a frozen network: what each makes of the values that it reads, and with which kernel.
//
// Which kernel a convolution gets is a rule on the layer's shape (see ConvLayer::winograd), never a measurement: the
// same weights and images give the same bits in every run.
#pragma once
#include <memory>
#include <stdexcept>
#include <vector>

#include "conv_first.h"
#include "conv_transposed.h"
#include "depthwise.h"
#include "gates.h"
#include "levels.h"
#include "nhwc.h"
#include "winograd.h"
#include "winograd_1d.h"

namespace crnn {

struct ImageLayer {
    std::vector<int> from;     // the values that it reads, at least one
    int to = 0;                // and the one that it writes, none of those
    float* scratch = nullptr;  // while it runs, as many floats as it asks for
    virtual ~ImageLayer() = default;
    // The shape of its output for sources of these shapes; raises std::invalid_argument where they do not fit.
    virtual Images shape(const Images* x) const = 0;
    virtual size_t scratch_size(const Images*) const { return 0; }
    virtual bool takes_unpadded() const { return false; }  // may a pixel hold its channels alone, without padding,
    virtual bool makes_unpadded() const { return false; }  // in what comes in, and in what goes out?
    virtual bool takes_rounded() const { return false; }   // may the first value that it reads be levels of 8 bits?
    virtual void run(const Images* x, const Images& y) = 0;

  protected:
    const Images* second(const Images* x) const { return from.size() > 1 ? x + 1 : nullptr; }
};

// Images without memory, of whole vectors a pixel.
inline Images describe(int n, int h, int w, int channels) { return {nullptr, n, h, w, channels, padded(channels)}; }

inline void expect_alike(const Images* x, const Images& y) {
    if (x && (x->h != y.h || x->w != y.w || x->channels != y.channels))
        throw std::invalid_argument("two values that meet differ in shape");
}

class ConvLayer : public ImageLayer {
  public:
    enum class Method { rule, direct, winograd };  // the last two for tests and benches

    ConvLayer(int in, int out, Window window, Fused fused, Method method, const float* weight, const float* bias)
        : in_(in),
          out_(out),
          window_(window),
          fused_(fused),
          method_(method),
          weight_(weight, weight + size_t(out) * in * window.kh * window.kw),
          bias_(bias, bias + out) {}

    Images shape(const Images* x) const override {
        const Images y = describe(x->n, window_.out_h(x->h) / fused_.pool_h, window_.out_w(x->w) / fused_.pool_w, out_);
        expect_alike(second(x), y);
        return y;
    }
    bool takes_unpadded() const override { return true; }
    size_t scratch_size(const Images* x) const override {
        return winograd(*x) || winograd_1d(*x) ? 0 : frame_size(*x, window_.ph, window_.pw);
    }

    void run(const Images* sources, const Images& y) override {
        const Images& x = *sources;
        Fused fused = fused_;
        fused.addend = second(sources) ? second(sources)->data : nullptr;
        const int size = window_.kh * window_.kw;
        const auto weight = [=](int o, int c, int i) { return weight_[(size_t(o) * in_ + c) * size + i]; };
        if (winograd(x)) {
            if (!winograd_.packed()) winograd_.pack(out_, in_, weight, bias_.data());
            winograd_.run(x, y, fused);
        } else if (method_ == Method::rule && FirstConv::covers(window_, x.stride, fused)) {
            if (!first_.packed()) first_.pack(out_, window_, weight, bias_.data());
            first_.run(x, y, fused, scratch);
        } else if (winograd_1d(x)) {
            if (!winograd_1d_.packed()) winograd_1d_.pack(out_, in_, window_, weight, bias_.data());
            winograd_1d_.run(x, y, fused);
        } else {
            if (!direct_.packed()) direct_.pack(out_, in_, x.stride, window_, weight, bias_.data());
            direct_.run(x, y, fused, scratch);
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
    Winograd1dConv winograd_1d_;
    WinogradConv winograd_;

    bool winograd_1d(const Images& x) const {
        if (!Winograd1dConv::covers(window_, fused_) || x.stride % LANES || method_ == Method::direct) return false;
        // With few channels the transforms would outweigh it.
        return method_ == Method::winograd || std::min(in_, out_) >= 64;
    }
    bool winograd(const Images& x) const {
        if (!WinogradConv::covers(window_) || !WinogradConv::covers(fused_) || x.stride % LANES) return false;
        if (method_ != Method::rule) return method_ == Method::winograd;
        // Multiplications of both, and the transforms' work counted as TRANSFORM more channels. Winograd's tiles may
        // stick out of a low image, which is why the height counts; the width hardly does.
        const double direct = 9. * x.h * x.w * in_ * out_;
        const Tiling tiles = WinogradConv::tiling(1, x.h, x.w, fused_);
        const double quick = double(tiles.products()) * (double(in_) * out_ + TRANSFORM * (in_ + out_));
        return quick < direct;
    }
    static constexpr double TRANSFORM = 16;
};

class TransposedConvLayer : public ImageLayer {
  public:
    TransposedConvLayer(int in, int out, int kh, int kw, Act act, const float* weight, const float* bias)
        : out_(out), kh_(kh), kw_(kw), act_(act) {
        conv_.pack(in, out, kh, kw, weight, bias);
    }
    Images shape(const Images* x) const override { return describe(x->n, x->h * kh_, x->w * kw_, out_); }
    bool makes_unpadded() const override { return true; }
    void run(const Images* x, const Images& y) override { conv_.run(*x, act_, y); }

  private:
    int out_, kh_, kw_;
    Act act_;
    TransposedConv conv_;
};

class DepthwiseLayer : public ImageLayer {
  public:
    DepthwiseLayer(int channels, Window window, Act act, const float* weight, const float* bias)
        : channels_(channels), window_(window), act_(act) {
        conv_.pack(channels, window, weight, bias);
    }
    Images shape(const Images* x) const override {
        if (x->channels != channels_) throw std::invalid_argument("a depthwise convolution of other channels");
        return describe(x->n, window_.out_h(x->h), window_.out_w(x->w), channels_);
    }
    void run(const Images* x, const Images& y) override { conv_.run(*x, act_, y); }

  private:
    int channels_;
    Window window_;
    Act act_;
    DepthwiseConv conv_;
};

class GlobalMeanLayer : public ImageLayer {
  public:
    Images shape(const Images* x) const override { return describe(x->n, 1, 1, x->channels); }
    void run(const Images* x, const Images& y) override { global_mean(*x, y); }
};

class GateLayer : public ImageLayer {
  public:
    Images shape(const Images* x) const override {
        const Images &gate = x[1], y = describe(x->n, x->h, x->w, x->channels);
        if (gate.h * gate.w > 1 || gate.channels != y.channels) expect_alike(&gate, y);
        return y;
    }
    void run(const Images* x, const Images& y) override { multiply(x[0], x[1], y); }
};

class PoolLayer : public ImageLayer {
  public:
    explicit PoolLayer(Window window) : window_(window) {}
    Images shape(const Images* x) const override {
        Images y = describe(x->n, window_.out_h(x->h), window_.out_w(x->w), x->channels);
        y.rounded = x->rounded;
        return y;
    }
    bool takes_rounded() const override { return true; }
    void run(const Images* x, const Images& y) override {
        if (x->rounded) max_pool<LevelVec>(levels_of(*x), *x, window_, levels_of(y), y);
        else max_pool<Vec>(x->data, *x, window_, y.data, y);
    }

  private:
    Window window_;
};

class MeanPoolLayer : public ImageLayer {
  public:
    explicit MeanPoolLayer(Window window) : window_(window) {}
    Images shape(const Images* x) const override {
        return describe(x->n, window_.out_h(x->h), window_.out_w(x->w), x->channels);
    }
    void run(const Images* x, const Images& y) override { mean_pool(*x, window_, y); }

  private:
    Window window_;
};

// Some channels, in another order.
class PickLayer : public ImageLayer {
  public:
    explicit PickLayer(std::vector<int> chosen) : chosen_(std::move(chosen)) {}
    Images shape(const Images* x) const override {
        for (int channel : chosen_)
            if (channel < 0 || channel >= x->channels) throw std::invalid_argument("a channel that does not exist");
        return describe(x->n, x->h, x->w, int(chosen_.size()));
    }
    void run(const Images* x, const Images& y) override { pick(*x, chosen_.data(), y); }

  private:
    std::vector<int> chosen_;
};

class UpsampleLayer : public ImageLayer {
  public:
    UpsampleLayer(int down, int along) : down_(down), along_(along) {}
    Images shape(const Images* x) const override { return describe(x->n, x->h * down_, x->w * along_, x->channels); }
    void run(const Images* x, const Images& y) override { upsample(*x, down_, along_, y); }

  private:
    int down_, along_;
};

class FoldLayer : public ImageLayer {
  public:
    FoldLayer(int kernel_h, int kernel_w) : kernel_h_(kernel_h), kernel_w_(kernel_w) {}
    Images shape(const Images* x) const override {
        if (x->h % kernel_h_ || x->w % kernel_w_) throw std::invalid_argument("a map is not made of whole windows");
        return describe(x->n, x->h / kernel_h_, x->w / kernel_w_, x->channels * kernel_h_ * kernel_w_);
    }
    bool takes_unpadded() const override { return true; }
    void run(const Images* x, const Images& y) override { fold(*x, kernel_h_, kernel_w_, y); }

  private:
    int kernel_h_, kernel_w_;
};

class ConcatLayer : public ImageLayer {
  public:
    Images shape(const Images* x) const override {
        int channels = 0;
        for (size_t i = 0; i < from.size(); i++) {
            if (x[i].h != x->h || x[i].w != x->w) throw std::invalid_argument("values that are joined differ in size");
            channels += x[i].channels;
        }
        return describe(x->n, x->h, x->w, channels);
    }
    void run(const Images* x, const Images& y) override { concat(x, int(from.size()), y); }
};

class AffineLayer : public ImageLayer {
  public:
    AffineLayer(int channels, const float* scale, const float* shift, Act act)
        : scale_(padded(channels)), shift_(padded(channels)), act_(act) {
        std::copy(scale, scale + channels, scale_.begin());
        std::copy(shift, shift + channels, shift_.begin());
    }
    Images shape(const Images* x) const override { return describe(x->n, x->h, x->w, x->channels); }
    void run(const Images* x, const Images& y) override { affine(*x, scale_.data(), shift_.data(), act_, y); }

  private:
    std::vector<float> scale_, shift_;
    Act act_;
};

class AddLayer : public ImageLayer {
  public:
    explicit AddLayer(Act act) : act_(act) {}
    Images shape(const Images* x) const override {
        const Images y = describe(x->n, x->h, x->w, x->channels);
        expect_alike(second(x), y);
        return y;
    }
    void run(const Images* x, const Images& y) override { add(*x, second(x) ? second(x)->data : nullptr, act_, y); }

  private:
    Act act_;
};

}  // namespace crnn
