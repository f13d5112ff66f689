// What the layers that train have in common: slopes of activations, sums and statistics of channels, batch
// normalisation on channels-last images.
//
// Sums over a batch are made image by image and then in the images' order: the same bits whatever the threads.
#pragma once
#include <cmath>
#include <type_traits>
#include <vector>

#include "conv.h"

namespace crnn {

template <Act A>
using ActTag = std::integral_constant<Act, A>;

// Calls work(ActTag<act>{}): what it does for each value knows its activation when compiled.
template <class Work>
void with_act(Act act, const Work& work) {
    switch (act) {
        case Act::none: return work(ActTag<Act::none>{});
        case Act::relu: return work(ActTag<Act::relu>{});
        case Act::hardswish: return work(ActTag<Act::hardswish>{});
        case Act::relu6: return work(ActTag<Act::relu6>{});
        case Act::hardsigmoid: return work(ActTag<Act::hardsigmoid>{});
        case Act::gelu: return work(ActTag<Act::gelu>{});
        case Act::sigmoid: return work(ActTag<Act::sigmoid>{});
    }
}

template <Act A>
CRNN_INLINE Vec act_value(Vec x) {
    if constexpr (A == Act::relu) return max(x, Vec{});
    else if constexpr (A == Act::hardswish) return x * min(max(x + 3.f, Vec{}), splat(6.f)) * (1.f / 6);
    else return activate(x, A);
}

template <Act A>
CRNN_INLINE Vec act_slope(Vec x) {
    const Vec one = splat(1.f);
    if constexpr (A == Act::relu) return x > 0.f ? one : Vec{};
    else if constexpr (A == Act::relu6) return x > 0.f ? (x < 6.f ? one : Vec{}) : Vec{};
    else if constexpr (A == Act::hardswish) return x <= -3.f ? Vec{} : (x >= 3.f ? one : x * (1.f / 3) + .5f);
    else if constexpr (A == Act::hardsigmoid) return x > -3.f ? (x < 3.f ? splat(1.f / 6) : Vec{}) : Vec{};
    else if constexpr (A == Act::gelu) return .5f * (1.f + erf(x * 0.70710678f)) + x * exp(x * x * -.5f) * 0.39894228f;
    else if constexpr (A == Act::sigmoid) return sigmoid(x) * (1.f - sigmoid(x));
    else return one;
}

// Two sums over an image for each channel, in float over a row and in double over the image.
class ChannelSums {
  public:
    ChannelSums(int images, int stride) : stride_(stride), sums_(size_t(images) * 2 * stride), rows_(sums_.size()) {}
    float* row(int n) { return rows_.data() + size_t(n) * 2 * stride_; }  // first sums, then second ones
    void end_row(int n) {
        float* from = row(n);
        double* to = sums_.data() + size_t(n) * 2 * stride_;
        for (int k = 0; k < 2 * stride_; k++) to[k] += from[k];
        std::fill(from, from + 2 * stride_, 0.f);
    }
    // Over all images: each channel's first sum, then each one's second.
    std::vector<double> totals() const {
        std::vector<double> all(2 * stride_, 0.);
        for (size_t k = 0; k < sums_.size(); k += all.size())
            for (size_t i = 0; i < all.size(); i++) all[i] += sums_[k + i];
        return all;
    }

  private:
    int stride_;
    std::vector<double> sums_;
    std::vector<float> rows_;
};

// Mean and variance of each channel over a batch of `z`, image by image, around the first image's mean: near enough to
// the batch's that the squares' difference loses no digits.
class Statistics {
  public:
    explicit Statistics(const Images& z) : z_(z), centre_(z.stride, 0.f), sums_(z.n, z.stride) {}
    // Looks at the first image.
    void begin() {
        const int pixels = z_.h * z_.w;
        std::vector<double> first(z_.stride, 0.);
        for (int p = 0; p < pixels; p++)
            for (int c = 0; c < z_.stride; c++) first[c] += z_.data[size_t(p) * z_.stride + c];
        for (int c = 0; c < z_.stride; c++) centre_[c] = float(first[c] / pixels);
    }
    void add(int n) {
        for (int i = 0; i < z_.h; i++) {
            float* row = sums_.row(n);
            for (int c = 0; c < z_.stride; c += LANES) {
                Vec sum{}, squares{};
                const Vec around = load(&centre_[c]);
                const float* at = z_.pixel(n, i, 0) + c;
                for (int j = 0; j < z_.w; j++, at += z_.stride) {
                    const Vec d = load(at) - around;
                    sum += d;
                    squares += d * d;
                }
                store(row + c, sum);
                store(row + z_.stride + c, squares);
            }
            sums_.end_row(n);
        }
    }
    void finish(float* mean, float* var) const {
        const double count = double(z_.n) * z_.h * z_.w;
        const std::vector<double> totals = sums_.totals();
        for (int c = 0; c < z_.channels; c++) {
            const double off = totals[c] / count;
            mean[c] = float(centre_[c] + off);
            var[c] = float(std::max(0., totals[z_.stride + c] / count - off * off));
        }
    }

  private:
    Images z_;
    std::vector<float> centre_;
    ChannelSums sums_;
};

static inline void statistics(const Images& z, float* mean, float* var) {
    Statistics found(z);
    found.begin();
#pragma omp parallel for schedule(static)
    for (int n = 0; n < z.n; n++) found.add(n);
    found.finish(mean, var);
}

// What `Norm::settle` left to do to the gradients `dn` at the normalised z.
static inline void do_after(const Images& z, const float* after, const Images& dn, float* dz) {
    const float *scale = after, *slope = after + z.stride, *shift = slope + z.stride;
    const int64_t pixels = int64_t(z.n) * z.h * z.w;
    for (int64_t p = 0; p < pixels; p++)
        for (int c = 0; c < z.stride; c += LANES) {
            const int64_t at = p * z.stride + c;
            store(dz + at,
                  load(dn.data + at) * load(scale + c) + load(z.data + at) * load(slope + c) + load(shift + c));
        }
}

// A batch normalisation's arrays; all null where there is none.
struct NormArrays {
    const float *weight, *bias, *mean, *var;
};

// z * scale + shift, the norm of z; without one, z.
class Norm {
  public:
    Norm(const Images& z, const NormArrays& arrays, double eps)
        : z_(z),
          arrays_(arrays),
          eps_(eps),
          scale_(z.stride, on() ? 0.f : 1.f),
          shift_(z.stride, 0.f),
          mean_(z.stride, 0.f) {
        for (int c = 0; on() && c < z.channels; c++) {  // the pixels' padding stays zero
            scale_[c] = float(arrays.weight[c] / std::sqrt(arrays.var[c] + eps));
            shift_[c] = arrays.bias[c] - arrays.mean[c] * scale_[c];
            mean_[c] = arrays.mean[c];
        }
    }
    bool on() const { return arrays_.weight; }
    Vec operator()(Vec z, int c) const { return z * load(&scale_[c]) + load(&shift_[c]); }
    // Adds to a row of sums what `through` needs of one value's gradient.
    void count(float* row, Vec gradient, Vec z, int c) const {
        store(row + c, load(row + c) + gradient);
        store(row + z_.stride + c, load(row + z_.stride + c) + gradient * (z - load(&mean_[c])));
    }
    // dweight, dbias and `after`, what is left to do to the gradients dn before the norm: of each channel scale, slope
    // and shift with dz = dn * scale + z * slope + shift, which is
    // weight / deviation * (dn - mean(dn) - normalised z * mean(dn * normalised z)).
    void settle(const std::vector<double>& totals, float* dweight, float* dbias, float* after) const {
        const double count = double(z_.n) * z_.h * z_.w;
        float *slope = after + z_.stride, *shift = slope + z_.stride;
        std::copy(scale_.begin(), scale_.end(), after);
        std::fill(slope, shift + z_.stride, 0.f);
        for (int c = 0; c < z_.channels; c++) {
            const double sum = totals[c], products = totals[z_.stride + c];
            const double inverse = 1 / std::sqrt(arrays_.var[c] + eps_), scale = arrays_.weight[c] * inverse;
            dbias[c] = float(sum);
            dweight[c] = float(products * inverse);
            slope[c] = float(-scale * products * inverse * inverse / count);
            shift[c] = float(-scale * sum / count) - slope[c] * mean_[c];
        }
    }
    // Settles and, without `after`, does in place what is left.
    void through(const std::vector<double>& totals, const Images& dz, float* dweight, float* dbias,
                 float* after) const {
        if (after) return settle(totals, dweight, dbias, after);
        std::vector<float> own(3 * z_.stride);
        settle(totals, dweight, dbias, own.data());
#pragma omp parallel for schedule(static)
        for (int n = 0; n < z_.n; n++) do_after(some(z_, n, 1), own.data(), some(dz, n, 1), dz.pixel(n, 0, 0));
    }

  private:
    Images z_;
    NormArrays arrays_;
    double eps_;
    std::vector<float> scale_, shift_, mean_;
};

}  // namespace crnn
