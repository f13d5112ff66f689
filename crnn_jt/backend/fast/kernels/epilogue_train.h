// The epilogue of a convolution in training, batch normalisation, activation and max pooling or a sum: one pass over
// its output z forward, two backward.
//
// Forward keeps z; backward works out again from it what an activation was given and which place won.
#pragma once
#include <limits>

#include "norm_train.h"

namespace crnn {

// y = pool(act(norm(z))) + addend.
struct Epilogue {
    Act act;
    Window pool;
    const int64_t* inside;  // (n,): columns of z that may win, or null: all
    const int64_t* kept;    // (n,): columns of y that are not cleared, or null: all
    bool pools() const { return pool.kh * pool.kw * pool.sh * pool.sw > 1 || pool.ph || pool.pw; }
    Images output(const Images& z, float* y) const {
        return {y, z.n, pool.out_h(z.h), pool.out_w(z.w), z.channels, z.stride};
    }
    int columns(const Images& y, int n) const { return kept ? int(std::min<int64_t>(kept[n], y.w)) : y.w; }
};

class TrainingEpilogue {
  public:
    TrainingEpilogue(const Epilogue& epilogue, const Images& z, const NormArrays& arrays, double eps)
        : epilogue_(epilogue), z_(z), norm_(z, arrays, eps) {}

    // `addend`, laid out as y, or null.
    void forward(const float* addend, const Images& y) const {
        with_act(epilogue_.act, [&](auto act) {
#pragma omp parallel for collapse(2) schedule(static)
            for (int n = 0; n < y.n; n++)
                for (int i = 0; i < y.h; i++) {
                    const int columns = epilogue_.columns(y, n);
                    if (epilogue_.pools()) pooled_row<act>(n, i, columns, y);
                    else row<act>(n, i, columns, y);
                    if (addend) add_row(addend + (y.pixel(n, i, 0) - y.data), columns * y.stride, y.pixel(n, i, 0));
                    std::fill(y.pixel(n, i, columns), y.pixel(n, i, y.w), 0.f);
                }
        });
    }

    // dz and, with a norm, dweight and dbias from dy; with `after`, dz as `Norm::settle` leaves it.
    void backward(const Images& dy, const Images& dz, float* dweight, float* dbias, float* after) const {
        ChannelSums sums(z_.n, z_.stride);
        with_act(epilogue_.act, [&](auto act) {
#pragma omp parallel for schedule(static)
            for (int n = 0; n < z_.n; n++) {
                if (epilogue_.pools()) to_winners<act>(n, dy, dz, sums);
                else to_each<act>(n, dy, dz, sums);
            }
        });
        if (norm_.on()) norm_.through(sums.totals(), dz, dweight, dbias, after);
    }

  private:
    Epilogue epilogue_;
    Images z_;
    Norm norm_;

    template <Act A>
    void row(int n, int i, int columns, const Images& y) const {
        for (int j = 0; j < columns; j++)
            for (int c = 0; c < z_.stride; c += LANES)
                store(y.pixel(n, i, j) + c, act_value<A>(norm_(load(z_.pixel(n, i, j) + c), c)));
    }
    template <Act A>
    void pooled_row(int n, int i, int columns, const Images& y) const {
        for (int j = 0; j < columns; j++) {
            const Places under = places(n, i, j);
            for (int c = 0; c < z_.stride; c += LANES) store(y.pixel(n, i, j) + c, highest<A>(under, c));
        }
    }
    static void add_row(const float* addend, int count, float* to) {
        for (int k = 0; k < count; k += LANES) store(to + k, load(to + k) + load(addend + k));
    }

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
    template <Act A>
    Vec highest(const Places& p, int c) const {
        Vec best = splat(A == Act::relu ? 0.f : -std::numeric_limits<float>::max());
        for (int a = p.top; a < p.bottom; a++)
            for (int b = p.left; b < p.right; b++)
                best = max(best, act_value<A>(norm_(load(z_.pixel(p.n, a, b) + c), c)));
        return best;
    }

    // dz of one image before the norm: the first of the highest gets the gradient.
    template <Act A>
    void to_winners(int n, const Images& dy, const Images& dz, ChannelSums& sums) const {
        std::fill(dz.pixel(n, 0, 0), dz.pixel(n + 1, 0, 0), 0.f);
        for (int i = 0; i < dy.h; i++) {
            for (int j = 0; j < epilogue_.columns(dy, n); j++) {
                const Places under = places(n, i, j);
                for (int c = 0; c < z_.stride; c += LANES) {
                    const Vec best = highest<A>(under, c);
                    Vec left = load(dy.pixel(n, i, j) + c);
                    for (int a = under.top; a < under.bottom; a++)
                        for (int b = under.left; b < under.right; b++) {
                            const Vec z = load(z_.pixel(n, a, b) + c), given = norm_(z, c);
                            const auto won = act_value<A>(given) == best;
                            const Vec own = (won ? left : Vec{}) * act_slope<A>(given);
                            left = won ? Vec{} : left;
                            float* to = dz.pixel(n, a, b) + c;
                            store(to, load(to) + own);
                            norm_.count(sums.row(n), own, z, c);
                        }
                }
            }
            sums.end_row(n);
        }
    }
    template <Act A>
    void to_each(int n, const Images& dy, const Images& dz, ChannelSums& sums) const {
        const int columns = epilogue_.columns(dy, n);
        for (int i = 0; i < dy.h; i++) {
            for (int j = 0; j < columns; j++)
                for (int c = 0; c < z_.stride; c += LANES) {
                    const Vec z = load(z_.pixel(n, i, j) + c);
                    const Vec own = load(dy.pixel(n, i, j) + c) * act_slope<A>(norm_(z, c));
                    store(dz.pixel(n, i, j) + c, own);
                    norm_.count(sums.row(n), own, z, c);
                }
            std::fill(dz.pixel(n, i, columns), dz.pixel(n, i, dz.w), 0.f);
            sums.end_row(n);
        }
    }
};

}  // namespace crnn
