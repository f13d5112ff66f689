// The first convolution of a network that reads grey pictures: 3x3 over one channel. A product would be 9 deep and
// spend its time on beginning and ending; here the nine weights of a vector of outputs stay in registers along a row of
// pixels.
#pragma once
#include <vector>

#include "conv.h"

namespace crnn {

class FirstConv {
  public:
    static bool covers(const Window& w, int channels, const Fused& fused) {
        return channels == 1 && w.kh == 3 && w.kw == 3 && w.sh == 1 && w.sw == 1 && !fused.addend &&
               fused.pool_h <= 2 && fused.pool_w <= 2;
    }

    // weight(o, 0, i) gives kernel o's i-th value, row by row.
    template <class Weight>
    void pack(int out, const Window& window, const Weight& weight, const float* bias) {
        window_ = window;
        float* to = weights_.need(size_t(padded(out)) * (TAPS + 1));  // [vector][9 weights, bias][LANES]
        for (int o = 0; o < padded(out); o++)
            for (int i = 0; i <= TAPS; i++) {
                float value = 0.f;
                if (o < out) value = i < TAPS ? weight(o, 0, i) : bias[o];
                to[(o / LANES * (TAPS + 1) + i) * LANES + o % LANES] = value;
            }
    }
    bool packed() const { return weights_.get(); }

    // x: one float a pixel; y: (n, out_h / pool_h, out_w / pool_w, padded(out)); `frame` for `add_frame`.
    void run(const Images& x, const Images& y, const Fused& fused, float* frame) {
        const Images big = add_frame(x, window_.ph, window_.pw, frame);
#pragma omp parallel for collapse(2) schedule(static)
        for (int n = 0; n < y.n; n++)
            for (int i = 0; i < y.h; i++)
                for (int c = 0; c < y.stride; c += LANES) {
                    const float* weights = weights_.get() + c * (TAPS + 1);
                    const float* from = big.pixel(n, i * fused.pool_h, 0);
                    float* to = y.pixel(n, i, 0) + c;
                    if (fused.pool_h == 2 && fused.pool_w == 2) row<2, 2>(weights, from, big.w, y, to, fused.act);
                    else if (fused.pool_h == 2) row<2, 1>(weights, from, big.w, y, to, fused.act);
                    else if (fused.pool_w == 2) row<1, 2>(weights, from, big.w, y, to, fused.act);
                    else row<1, 1>(weights, from, big.w, y, to, fused.act);
                }
    }

  private:
    static constexpr int TAPS = 9;
    Window window_;
    Buffer weights_;

    // A row of outputs after pooling, LANES channels; `next` floats from one row of the picture to the next.
    template <int POOL_H, int POOL_W>
    static void row(const float* weights, const float* x, int next, const Images& y, float* to, Act act) {
        Vec w[TAPS + 1];
        for (int i = 0; i <= TAPS; i++) w[i] = load(weights + i * LANES);
        for (int j = 0; j < y.w; j++, x += POOL_W, to += y.stride) {
            Vec best{};
#pragma GCC unroll 2
            for (int a = 0; a < POOL_H; a++)
#pragma GCC unroll 2
                for (int b = 0; b < POOL_W; b++) {
                    Vec sum = w[TAPS];
#pragma GCC unroll 3
                    for (int u = 0; u < 3; u++)
#pragma GCC unroll 3
                        for (int v = 0; v < 3; v++) sum += w[u * 3 + v] * x[(a + u) * next + b + v];
                    best = a || b ? max(best, sum) : sum;
                }
            store(to, activate(best, act));
        }
    }
};

}  // namespace crnn
