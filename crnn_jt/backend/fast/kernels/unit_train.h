// A unit of mobile networks in training: batch normalisation and activation of z, a squeeze-and-excitation gate, then a
// 1x1 or a depthwise convolution, and the statistics of what comes out, for the next normalisation.
//
// What comes between z and the convolution never lies in memory as a whole: it is made image by image, in the cache,
// for the convolution and once more for the gradients. Only z is kept. Mobile networks have so few products a value
// that fetching values is most of the work.
#pragma once
#include "conv_train.h"
#include "depthwise_train.h"

namespace crnn {

// Gate of one image: act(w2 · squeeze(w1 · means + b1) + b2), w1 (inner, channels), w2 (channels, inner).
struct GateArrays {
    int inner = 0;
    Act squeeze = Act::relu, act = Act::hardsigmoid;
    const float *w1 = nullptr, *b1 = nullptr, *w2 = nullptr, *b2 = nullptr;
};

// Gradients of a gate's arrays over some images, and the scratch for one.
class GateWork {
  public:
    GateWork(const GateArrays& gate, int channels, bool slopes)
        : g_(gate),
          c_(channels),
          hidden_(padded(g_.inner)),
          squeezed_(hidden_),
          slope_hidden_(hidden_),
          given_(padded(channels)),
          gate_(given_),
          slope_given_(given_),
          slope_means_(given_) {
        if (slopes) gradients_.assign(size_t(g_.inner) * (2 * c_ + 1) + c_, 0.f);
    }
    // -> the gate, padded to whole vectors.
    const float* forward(const float* means) {
        for (int k = 0; k < g_.inner; k++) hidden_[k] = g_.b1[k] + dot(g_.w1 + size_t(k) * c_, means, c_);
        apply(g_.squeeze, hidden_, squeezed_);
        for (int c = 0; c < c_; c++)
            given_[c] = g_.b2[c] + dot(g_.w2 + size_t(c) * g_.inner, squeezed_.data(), g_.inner);
        apply(g_.act, given_, gate_);
        return gate_.data();
    }
    // After `forward` of the same image: from the gate's gradient that of the means times `share`, in whole vectors.
    const float* backward(const float* means, const float* dgate, float share) {
        float *dw1 = gradients_.data(), *db1 = dw1 + size_t(g_.inner) * c_;
        float *dw2 = db1 + g_.inner, *db2 = dw2 + size_t(g_.inner) * c_;
        through(g_.act, given_, dgate, slope_given_);
        std::fill(slope_hidden_.begin(), slope_hidden_.end(), 0.f);
        for (int c = 0; c < c_; c++) {
            const size_t row = size_t(c) * g_.inner;
            db2[c] += slope_given_[c];
            add_times(squeezed_.data(), slope_given_[c], g_.inner, dw2 + row);
            add_times(g_.w2 + row, slope_given_[c], g_.inner, slope_hidden_.data());
        }
        through(g_.squeeze, hidden_, slope_hidden_.data(), slope_hidden_);
        std::fill(slope_means_.begin(), slope_means_.end(), 0.f);
        for (int k = 0; k < g_.inner; k++) {
            const size_t row = size_t(k) * c_;
            db1[k] += slope_hidden_[k];
            add_times(means, slope_hidden_[k], c_, dw1 + row);
            add_times(g_.w1 + row, slope_hidden_[k] * share, c_, slope_means_.data());
        }
        return slope_means_.data();
    }
    // dw1, db1, dw2, db2, one after the other.
    const std::vector<float>& gradients() const { return gradients_; }

  private:
    GateArrays g_;
    int c_;
    std::vector<float> hidden_, squeezed_, slope_hidden_, given_, gate_, slope_given_, slope_means_, gradients_;

    static float dot(const float* a, const float* b, int count) {
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (int i = 0; i < count; i++) sum += a[i] * b[i];
        return sum;
    }
    static void add_times(const float* from, float by, int count, float* to) {
        for (int i = 0; i < count; i++) to[i] += from[i] * by;
    }
    static void apply(Act act, const std::vector<float>& from, std::vector<float>& to) {
        with_act(act, [&](auto a) {
            for (size_t k = 0; k < from.size(); k += LANES) store(&to[k], act_value<a>(load(&from[k])));
        });
    }
    static void through(Act act, const std::vector<float>& at, const float* gradient, std::vector<float>& to) {
        with_act(act, [&](auto a) {
            for (size_t k = 0; k < at.size(); k += LANES)
                store(&to[k], load(gradient + k) * act_slope<a>(load(&at[k])));
        });
    }
};

struct UnitShape {
    Images z;  // without memory
    int out;
    bool depthwise;
    Window window;
    Act act;
    const int64_t* inside;  // (n,): columns of z that are the image's, or null: all
    bool clears;            // the convolution finds zeros beyond them
    Images output(float* y) const { return {y, z.n, window.out_h(z.h), window.out_w(z.w), out, padded(out)}; }
    // Images that are taken through together: one or, of small ones, several.
    int together() const {
        const Images y = output(nullptr);
        return int(std::max<size_t>(1, std::min<size_t>(z.n, GROUP * z.n / std::max(z.size(), y.size()))));
    }
    int columns(int n) const { return inside ? int(std::min<int64_t>(inside[n], z.w)) : z.w; }
    // A 1x1 convolution without a gate does not care where an image begins: large ones are cut into bands of rows.
    UnitShape in_bands(bool gated) const {
        UnitShape s = *this;
        for (int bands = 1; !depthwise && !gated && bands <= z.h; bands++)
            if (z.h % bands == 0) {
                s.z.n = z.n * bands;
                s.z.h = z.h / bands;
                s.inside = nullptr;
                if (std::max(s.z.size(), s.output(nullptr).size()) <= GROUP * s.z.n) break;
            }
        return s;
    }
    static constexpr size_t GROUP = 1 << 16;  // floats
};

// The arrays that a unit is made of, or gradients at them.
struct UnitArrays {
    const float *weight, *bias;
    NormArrays norm;
    double eps;
    GateArrays gate;
};
struct UnitSlopes {
    float *weight, *bias, *norm_weight, *norm_bias;
    float* gate[4];
    float* after;  // or null: then dz is finished
};
// What the unit's output became and, where its gradient is not finished yet, what is left to do to it.
struct UnitOutput {
    const float *y = nullptr, *after = nullptr;
};

class TrainingUnit {
  public:
    // y, with `mean` also mean and variance of its channels, with a gate also the means (n, 1, 1, stride) it was made
    // of.
    void forward(const UnitShape& s, const UnitArrays& arrays, const Images& z, const Images& y, float* mean,
                 float* var, float* means) {
        const Norm norm(z, arrays.norm, arrays.eps);
        if (s.depthwise) depthwise_.pack(s.out, s.window, arrays.weight, arrays.bias);
        else pack_dense(s.out, z.channels, z.stride, arrays.weight, arrays.bias, z.channels, 1);
        Statistics found(y);
        const auto take = [&](int first, int count) {
            GateWork gate(arrays.gate, z.channels, false);
            const Images from = lift(s, norm, z, first, count, means, gate), to = some(y, first, count);
            if (s.depthwise) depthwise_.run(from, Act::none, to);
            else dense_.run(from, to, Fused{});
            if (mean && first == 0) found.begin();
            for (int n = first; mean && n < first + count; n++) found.add(n);
        };
        prepare(s);
        take(0, 1);  // alone: the statistics begin with it
        const int each = s.together(), groups = (z.n - 1 + each - 1) / each;
#pragma omp parallel for schedule(static)
        for (int g = 0; g < groups; g++) take(1 + g * each, std::min(each, z.n - 1 - g * each));
        if (mean) found.finish(mean, var);
    }

    // dz and all slopes from dy; `means` as forward gave them.
    void backward(const UnitShape& s, const UnitArrays& arrays, const Images& z, const Images& dy,
                  const UnitOutput& output, const float* means, const Images& dz, const UnitSlopes& slopes) {
        const Norm norm(z, arrays.norm, arrays.eps);
        if (s.depthwise) input_grad_.pack(s.out, s.window, arrays.weight);
        else pack_dense(z.channels, s.out, dy.stride, arrays.weight, nullptr, 1, z.channels);
        const Sums sizes(s);
        const int parts = std::min(sizes.parts, z.n), each = s.together();
        float* sums = sums_.need(parts * sizes.all());
        ChannelSums channels(z.n, z.stride);
        std::vector<std::vector<float>> gates(parts);
        prepare(s);
#pragma omp parallel for schedule(static)
        for (int part = 0; part < parts; part++) {
            float* own = sums + part * sizes.all();
            std::fill(own, own + sizes.all(), 0.f);
            GateWork gate(arrays.gate, z.channels, true);
            const int begin = z.n * part / parts, end = z.n * (part + 1) / parts;
            for (int first = begin; first < end; first += each) {
                const int count = std::min(each, end - first);
                const Images gradient = finished(s, dy, output, first, count), to = some(dz, first, count);
                weight_slopes(s, lift(s, norm, z, first, count, const_cast<float*>(means), gate, true), gradient, own,
                              slopes.bias ? own + sizes.weights : nullptr);
                if (s.depthwise) input_grad_.run(gradient, to);
                else dense_.run(gradient, to, Fused{});
                for (int n = first; n < first + count; n++)
                    with_act(s.act, [&](auto act) { finish<act>(s, norm, z, n, means, gate, dz, channels); });
            }
            gates[part] = gate.gradients();
        }
        gather(s, sizes, sums, parts, slopes);
        if (arrays.gate.inner) gather_gates(arrays.gate, z.channels, gates, slopes);
        if (norm.on()) norm.through(channels.totals(), dz, slopes.norm_weight, slopes.norm_bias, slopes.after);
    }

  private:
    // Floats of the sums over a part of the images: rows of `columns`, then, of the bias, one row.
    struct Sums {
        int rows, columns;
        bool by_input;  // of a 1x1 convolution: a row for each channel of the input, else for each of the output
        size_t weights;
        int bias, parts;
        explicit Sums(const UnitShape& s) {
            const int in = s.z.stride, out = padded(s.out);
            by_input = !s.depthwise && out >= in;
            rows = s.depthwise ? s.window.kh * s.window.kw : by_input ? s.z.channels : s.out;
            columns = by_input ? out : in;
            weights = size_t(rows) * columns;
            bias = out;
            // In so many parts, whatever the threads: many only where the sums are few.
            parts = int(std::clamp<size_t>((size_t(1) << 20) / weights, 4, 16));
        }
        size_t all() const { return weights + bias; }
    };

    DepthwiseConv depthwise_;
    DepthwiseInputGrad input_grad_;
    DirectConv dense_;
    Buffer lifted_, finished_, sums_;
    size_t lifted_size_ = 0, finished_size_ = 0;  // of each thread

    // Of a 1x1 convolution: value (o, c) of the kernel is at o * by_out + c * by_in.
    void pack_dense(int out, int in, int stride, const float* weight, const float* bias, int by_out, int by_in) {
        const auto given = [=](int o, int c, int) { return weight[size_t(o) * by_out + size_t(c) * by_in]; };
        dense_.pack(out, in, stride, Window{}, given, bias);
    }
    void prepare(const UnitShape& s) {
        lifted_size_ = s.z.size() / s.z.n * s.together() + LINE;
        finished_size_ = s.output(nullptr).size() / s.z.n * s.together() + LINE;
        lifted_.need(threads() * lifted_size_);
        finished_.need(threads() * finished_size_);
    }

    // The output's gradient for images [first, first + count), in the thread's own memory where something was left.
    Images finished(const UnitShape& s, const Images& dy, const UnitOutput& output, int first, int count) const {
        Images own = some(dy, first, count);
        if (!output.after) return own;
        Images y = s.output(const_cast<float*>(output.y));
        float* to = finished_.get() + omp_get_thread_num() * finished_size_;
        do_after(some(y, first, count), output.after, own, to);
        own.data = to;
        return own;
    }

    // What the convolution is given for images [first, first + count), in the thread's own memory. Backward, a gate's
    // means are known.
    Images lift(const UnitShape& s, const Norm& norm, const Images& z, int first, int count, float* means,
                GateWork& gate, bool known = false) const {
        Images to = some(z, first, count);
        if (!norm.on() && s.act == Act::none && !means && !s.clears) return to;
        to.data = lifted_.get() + omp_get_thread_num() * lifted_size_;
        for (int n = 0; n < count; n++) {
            with_act(s.act, [&](auto act) { lift_image<act>(s, norm, z, first + n, to.pixel(n, 0, 0)); });
            if (!means) continue;
            float* own = means + size_t(first + n) * z.stride;
            if (!known) mean_of(some(to, n, 1), s.columns(first + n), own);
            multiply_by(gate.forward(own), some(to, n, 1));
        }
        return to;
    }
    template <Act A>
    static void lift_image(const UnitShape& s, const Norm& norm, const Images& z, int n, float* to) {
        const int columns = s.clears ? s.columns(n) : z.w;
        const float* from = z.pixel(n, 0, 0);
        for (int i = 0; i < z.h; i++)
            for (int j = 0; j < z.w; j++, from += z.stride, to += z.stride) {
                if (j < columns)
                    for (int c = 0; c < z.stride; c += LANES) store(to + c, act_value<A>(norm(load(from + c), c)));
                else std::fill(to, to + z.stride, 0.f);
            }
    }
    static void mean_of(const Images& x, int columns, float* mean) {
        const float share = 1.f / (float(x.h) * columns);
        for (int c = 0; c < x.stride; c += LANES) {
            Vec sum{};
            for (int i = 0; i < x.h; i++) {
                const float* at = x.pixel(0, i, 0) + c;
                Vec row{};
                for (int j = 0; j < columns; j++, at += x.stride) row += load(at);
                sum += row;
            }
            store(mean + c, sum * share);
        }
    }
    static void multiply_by(const float* gate, const Images& x) {
        float* at = x.data;
        for (int p = 0; p < x.h * x.w; p++, at += x.stride)
            for (int c = 0; c < x.stride; c += LANES) store(at + c, load(at + c) * load(gate + c));
    }

    static void weight_slopes(const UnitShape& s, const Images& x, const Images& dy, float* sums, float* bias) {
        if (s.depthwise) DepthwiseWeightGrad(s.window, x, dy, sums).run();
        else dense_slopes(s, x, dy, sums);
        const int pixels = dy.n * dy.h * dy.w;
        for (int p = 0; bias && p < pixels; p++)
            for (int c = 0; c < dy.stride; c += LANES)
                store(bias + c, load(bias + c) + load(dy.data + size_t(p) * dy.stride + c));
    }
    // The larger side lies along the vectors; both stay in the cache from tile to tile.
    static void dense_slopes(const UnitShape& s, const Images& x, const Images& dy, float* sums) {
        const Sums sizes(s);
        const Images &a = sizes.by_input ? x : dy, &b = sizes.by_input ? dy : x;
        const Panels panels(sizes.columns);
        const int pixels = x.n * x.h * x.w;
        for (int p = 0; p < pixels; p += BLOCK)
            for (int q = 0; q < panels.count; q++)
                outer_product(std::min(BLOCK, pixels - p), a.data + size_t(p) * a.stride, a.stride, sizes.rows,
                              b.data + size_t(p) * b.stride + q * PANEL, b.stride, panels.vecs_of(q), sums + q * PANEL,
                              sizes.columns, false);
    }
    static constexpr int BLOCK = 96;  // pixels

    // dz holds the gradient at the convolution's input; here it goes on to the normalised z.
    template <Act A>
    static void finish(const UnitShape& s, const Norm& norm, const Images& z, int n, const float* means, GateWork& gate,
                       const Images& dz, ChannelSums& sums) {
        if (!norm.on() && A == Act::none && !means && !s.clears) return;
        const int columns = s.columns(n), kept = s.clears ? columns : z.w;
        const float *by = nullptr, *more = nullptr;
        if (means) {
            const float* own = means + size_t(n) * z.stride;
            by = gate.forward(own);
            more = gate.backward(own, gate_slope<A>(norm, z, n, dz).data(), 1.f / (float(z.h) * columns));
        }
        for (int i = 0; i < z.h; i++) {
            for (int j = 0; j < kept; j++)
                for (int c = 0; c < z.stride; c += LANES) {
                    float* to = dz.pixel(n, i, j) + c;
                    const Vec value = load(z.pixel(n, i, j) + c);
                    Vec own = load(to);
                    if (by) own *= load(by + c);
                    if (more && j < columns) own += load(more + c);
                    own *= act_slope<A>(norm(value, c));
                    store(to, own);
                    norm.count(sums.row(n), own, value, c);
                }
            std::fill(dz.pixel(n, i, kept), dz.pixel(n, i, z.w), 0.f);
            sums.end_row(n);
        }
    }
    // The gradient at a gate: over all pixels what it multiplied times the gradient of the product.
    template <Act A>
    static std::vector<float> gate_slope(const Norm& norm, const Images& z, int n, const Images& dz) {
        std::vector<float> all(z.stride, 0.f), row(z.stride);
        for (int i = 0; i < z.h; i++) {
            std::fill(row.begin(), row.end(), 0.f);
            for (int j = 0; j < z.w; j++)
                for (int c = 0; c < z.stride; c += LANES) {
                    const Vec value = act_value<A>(norm(load(z.pixel(n, i, j) + c), c));
                    store(&row[c], load(&row[c]) + value * load(dz.pixel(n, i, j) + c));
                }
            for (int c = 0; c < z.stride; c++) all[c] += row[c];
        }
        return all;
    }

    static void gather(const UnitShape& s, const Sums& sizes, const float* sums, int parts, const UnitSlopes& slopes) {
        const auto total = [&](size_t at) {
            double sum = 0;
            for (int part = 0; part < parts; part++) sum += sums[part * sizes.all() + at];
            return float(sum);
        };
        const int in = s.depthwise ? sizes.rows : s.z.channels;  // values of an output channel's kernel
#pragma omp parallel for schedule(static)
        for (int o = 0; o < s.out; o++)
            for (int k = 0; k < in; k++) {
                const bool across = s.depthwise || sizes.by_input;
                slopes.weight[size_t(o) * in + k] =
                    total(across ? size_t(k) * sizes.columns + o : size_t(o) * sizes.columns + k);
            }
        for (int o = 0; slopes.bias && o < s.out; o++) slopes.bias[o] = total(sizes.weights + o);
    }
    static void gather_gates(const GateArrays& gate, int channels, const std::vector<std::vector<float>>& parts,
                             const UnitSlopes& slopes) {
        const size_t products = size_t(gate.inner) * channels,
                     counts[] = {products, size_t(gate.inner), products, size_t(channels)};
        for (size_t array = 0, at = 0; array < 4; array++)
            for (size_t k = 0; k < counts[array]; k++, at++) {
                double sum = 0;
                for (const std::vector<float>& part : parts) sum += part[at];
                slopes.gate[array][k] = float(sum);
            }
    }
};

}  // namespace crnn
