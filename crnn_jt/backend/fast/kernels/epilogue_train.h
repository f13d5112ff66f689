// The epilogue of a convolution in training, batch normalisation, ReLU and max pooling: two passes over its output z
// each way.
//
// Forward keeps z and the statistics; backward works out again from them what was positive and which place won. Images
// are taken one by one, sums over the batch are made image by image and then in the images' order.
#pragma once
#include <cmath>
#include <vector>

#include "conv.h"

namespace crnn {

// y = pool(relu(z * scale + shift)), the norm's scale and shift.
struct Epilogue {
    bool norm;
    double eps;
    Window pool;
    const int64_t* inside;  // (n,): columns of z that may win, or null: all
    const int64_t* kept;    // (n,): columns of y that are not cleared, or null: all
    bool pools() const { return pool.kh * pool.kw * pool.sh * pool.sw > 1 || pool.ph || pool.pw; }
    Images output(const Images& z, float* y) const {
        return {y, z.n, pool.out_h(z.h), pool.out_w(z.w), z.channels, z.stride};
    }
    int columns(const Images& y, int n) const { return kept ? int(std::min<int64_t>(kept[n], y.w)) : y.w; }
};

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

class TrainingEpilogue {
  public:
    TrainingEpilogue(const Epilogue& epilogue, const Images& z)
        : epilogue_(epilogue), z_(z), scale_(z.stride, 1.f), shift_(z.stride, 0.f), mean_(z.stride, 0.f) {}

    // y and, with a norm, mean and (biased) variance of each channel over the batch.
    void forward(const float* weight, const float* bias, const Images& y, float* mean, float* var) {
        if (epilogue_.norm) {
            statistics(mean, var);
            set(weight, bias, mean, var);
        }
#pragma omp parallel for collapse(2) schedule(static)
        for (int n = 0; n < y.n; n++)
            for (int i = 0; i < y.h; i++) {
                const int columns = epilogue_.columns(y, n);
                for (int j = 0; j < columns; j++) {
                    const Places under = places(n, i, j);
                    for (int c = 0; c < z_.stride; c += LANES) store(y.pixel(n, i, j) + c, highest(under, c));
                }
                std::fill(y.pixel(n, i, columns), y.pixel(n, i, y.w), 0.f);
            }
    }

    // dz, dweight, dbias from dy; the statistics as the forward pass gave them.
    void backward(const float* weight, const float* bias, const float* mean, const float* var, const Images& dy,
                  const Images& dz, float* dweight, float* dbias) {
        if (epilogue_.norm) set(weight, bias, mean, var);
        ChannelSums sums(z_.n, z_.stride);
#pragma omp parallel for schedule(static)
        for (int n = 0; n < z_.n; n++) {
            if (epilogue_.pools()) to_winners(n, dy, dz, sums);
            else to_positive(n, dy, dz, sums);
        }
        if (epilogue_.norm) through_norm(weight, var, sums.totals(), dz, dweight, dbias);
    }

  private:
    Epilogue epilogue_;
    Images z_;
    std::vector<float> scale_, shift_, mean_;

    Vec normalised(Vec z, int c) const { return z * load(&scale_[c]) + load(&shift_[c]); }

    // Rows and columns of z under one place of y.
    struct Places {
        int n, top, bottom, left, right;
    };
    Places places(int n, int i, int j) const {
        const Window& w = epilogue_.pool;
        const int top = i * w.sh - w.ph, left = j * w.sw - w.pw;
        const int wide = epilogue_.inside ? int(std::min<int64_t>(epilogue_.inside[n], z_.w)) : z_.w;
        return {n, std::max(top, 0), std::min(top + w.kh, z_.h), std::max(left, 0), std::min(left + w.kw, wide)};
    }
    Vec highest(const Places& p, int c) const {
        Vec best{};
        for (int a = p.top; a < p.bottom; a++)
            for (int b = p.left; b < p.right; b++) best = max(best, normalised(load(z_.pixel(p.n, a, b) + c), c));
        return best;
    }

    // Around the first image's mean: near enough to the batch's that the squares' difference loses no digits.
    void statistics(float* mean, float* var) {
        const int pixels = z_.h * z_.w;
        const double count = double(z_.n) * pixels;
        std::vector<double> first(z_.stride, 0.);
        for (int p = 0; p < pixels; p++)
            for (int c = 0; c < z_.stride; c++) first[c] += z_.data[size_t(p) * z_.stride + c];
        for (int c = 0; c < z_.stride; c++) mean_[c] = float(first[c] / pixels);
        ChannelSums sums(z_.n, z_.stride);
#pragma omp parallel for schedule(static)
        for (int n = 0; n < z_.n; n++)
            for (int i = 0; i < z_.h; i++) {
                float* row = sums.row(n);
                for (int c = 0; c < z_.stride; c += LANES) {
                    Vec sum{}, squares{};
                    const Vec around = load(&mean_[c]);
                    for (int j = 0; j < z_.w; j++) {
                        const Vec d = load(z_.pixel(n, i, j) + c) - around;
                        sum += d;
                        squares += d * d;
                    }
                    store(row + c, sum);
                    store(row + z_.stride + c, squares);
                }
                sums.end_row(n);
            }
        const std::vector<double> totals = sums.totals();
        for (int c = 0; c < z_.channels; c++) {
            const double off = totals[c] / count;
            mean[c] = float(mean_[c] + off);
            var[c] = float(std::max(0., totals[z_.stride + c] / count - off * off));
        }
    }
    // The pixels' padding stays zero.
    void set(const float* weight, const float* bias, const float* mean, const float* var) {
        std::fill(scale_.begin(), scale_.end(), 0.f);
        for (int c = 0; c < z_.channels; c++) {
            scale_[c] = float(weight[c] / std::sqrt(var[c] + epilogue_.eps));
            shift_[c] = bias[c] - mean[c] * scale_[c];
            mean_[c] = mean[c];
        }
    }

    // dz of one image before the norm: the first of the highest gets the gradient.
    void to_winners(int n, const Images& dy, const Images& dz, ChannelSums& sums) const {
        std::fill(dz.pixel(n, 0, 0), dz.pixel(n + 1, 0, 0), 0.f);
        for (int i = 0; i < dy.h; i++) {
            for (int j = 0; j < epilogue_.columns(dy, n); j++) {
                const Places under = places(n, i, j);
                for (int c = 0; c < z_.stride; c += LANES) {
                    const Vec best = highest(under, c);
                    Vec left = best > 0.f ? load(dy.pixel(n, i, j) + c) : Vec{};
                    for (int a = under.top; a < under.bottom; a++)
                        for (int b = under.left; b < under.right; b++) {
                            const Vec z = load(z_.pixel(n, a, b) + c);
                            const auto won = normalised(z, c) == best;
                            const Vec own = won ? left : Vec{};
                            left = won ? Vec{} : left;
                            float* to = dz.pixel(n, a, b) + c;
                            store(to, load(to) + own);
                            count(sums.row(n) + c, own, z, c);
                        }
                }
            }
            sums.end_row(n);
        }
    }
    void to_positive(int n, const Images& dy, const Images& dz, ChannelSums& sums) const {
        const int columns = epilogue_.columns(dy, n);
        for (int i = 0; i < dy.h; i++) {
            for (int j = 0; j < columns; j++)
                for (int c = 0; c < z_.stride; c += LANES) {
                    const Vec z = load(z_.pixel(n, i, j) + c);
                    const Vec own = normalised(z, c) > 0.f ? load(dy.pixel(n, i, j) + c) : Vec{};
                    store(dz.pixel(n, i, j) + c, own);
                    count(sums.row(n) + c, own, z, c);
                }
            std::fill(dz.pixel(n, i, columns), dz.pixel(n, i, dz.w), 0.f);
            sums.end_row(n);
        }
    }
    void count(float* row, Vec gradient, Vec z, int c) const {
        store(row, load(row) + gradient);
        store(row + z_.stride, load(row + z_.stride) + gradient * (z - load(&mean_[c])));
    }

    // dz = weight / deviation * (dz - mean(dz) - normalised z * mean(dz * normalised z))
    void through_norm(const float* weight, const float* var, const std::vector<double>& totals, const Images& dz,
                      float* dweight, float* dbias) const {
        const double count = double(z_.n) * z_.h * z_.w;
        std::vector<float> slope(z_.stride, 0.f), shift(z_.stride, 0.f);
        for (int c = 0; c < z_.channels; c++) {
            const double sum = totals[c], products = totals[z_.stride + c],
                         inverse = 1 / std::sqrt(var[c] + epilogue_.eps);
            dbias[c] = float(sum);
            dweight[c] = float(products * inverse);
            slope[c] = float(-weight[c] * inverse * products * inverse * inverse / count);
            shift[c] = float(-weight[c] * inverse * sum / count) - slope[c] * mean_[c];
        }
        const int64_t pixels = int64_t(z_.n) * z_.h * z_.w;
#pragma omp parallel for schedule(static)
        for (int64_t p = 0; p < pixels; p++)
            for (int c = 0; c < z_.stride; c += LANES) {
                float* to = dz.data + p * z_.stride + c;
                const Vec z = load(z_.data + p * z_.stride + c);
                store(to, load(to) * load(&scale_[c]) + z * load(&slope[c]) + load(&shift[c]));
            }
    }
};

}  // namespace crnn
