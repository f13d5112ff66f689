// Transposed convolution whose windows touch but do not overlap: each pixel becomes a block of kh x kw pixels. It is
// a product of the pixels with kh * kw * out columns, whose rows are then cut into the rows of the output.
#pragma once
#include "conv.h"

namespace crnn {

class TransposedConv {
  public:
    // weight (in, out, kh, kw), bias (out,).
    void pack(int in, int out, int kh, int kw, const float* weight, const float* bias) {
        out_ = out;
        kh_ = kh;
        kw_ = kw;
        const int size = kh * kw;
        std::vector<float> everywhere;  // the bias of each column, [place in the block][out]
        for (int place = 0; place < size; place++) everywhere.insert(everywhere.end(), bias, bias + out);
        weights_.pack(
            size * out, in, [=](int o, int c) { return weight[(size_t(c) * out + o % out) * size + o / out]; },
            everywhere.data());
    }

    // y: (n, h * kh, w * kw, out or padded(out)).
    void run(const Images& x, Act act, const Images& y) {
        const Panels& panels = weights_.panels();
        const size_t scratch = size_t(x.w) * panels.columns();
        float* all = rows_.need(threads() * scratch);
#pragma omp parallel for collapse(2) schedule(static)
        for (int n = 0; n < x.n; n++)
            for (int i = 0; i < x.h; i++) {
                float* part = all + omp_get_thread_num() * scratch;
                for (int p = 0; p < panels.count; p++)
                    panel_product(x.w, {x.pixel(n, i, 0), x.stride, weights_.depth()}, weights_.panel(p),
                                  panels.vecs_of(p),
                                  {part + p * PANEL, panels.columns(), weights_.bias(p), nullptr, act});
                for (int a = 0; a < kh_; a++) cut_row(part, panels.columns(), x.w, a, y.pixel(n, i * kh_ + a, 0), y);
            }
    }

  private:
    int out_ = 0, kh_ = 1, kw_ = 1;
    Packed weights_;
    Buffer rows_;

    // Row `a` of the blocks of a row of pixels.
    void cut_row(const float* part, int columns, int width, int a, float* to, const Images& y) const {
        if (y.stride == out_) {  // the pixels of a row of a block lie side by side in both
            const int run = kw_ * out_;
            for (int j = 0; j < width; j++, to += run) copy_channels(part + size_t(j) * columns + a * run, run, to);
            return;
        }
        for (int j = 0; j < width; j++)
            for (int b = 0; b < kw_; b++, to += y.stride) {
                copy_channels(part + size_t(j) * columns + (a * kw_ + b) * out_, out_, to);
                for (int c = out_; c < y.stride; c++) to[c] = 0.f;
            }
    }
};

}  // namespace crnn
