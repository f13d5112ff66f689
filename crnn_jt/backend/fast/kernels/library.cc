// The C face of the kernels, for ctypes and for the Jittor operator: plain pointers and integers, no exception passes.
//
// A function returns 0, or 1 with the reason in crnn_error().
#include "conv_train.h"
#include "ctc.h"
#include "finish_train.h"
#include "lstm_train.h"
#include "network.h"
#include "planes.h"
#include "update.h"

using namespace crnn;

namespace {

thread_local std::string error;

template <class Work>
int guarded(const Work& work) {
    try {
        work();
        return 0;
    } catch (const std::exception& e) {
        error = e.what();
        return 1;
    }
}

// As the Jittor operator wants it: null, or the reason why not.
template <class Work>
const char* call(const Work& work) {
    return guarded(work) ? error.c_str() : nullptr;
}

// numbers: T, N, C, H, count of lengths (0 or N), lengths
Recurrence recurrence(const int64_t* numbers, float* gates, float* h, float* cells) {
    const int hidden = int(numbers[3]);
    return {int(numbers[0]), int(numbers[1]), hidden, padded(hidden), gates, h, cells, true,
            numbers[4] ? numbers + 5 : nullptr};
}

template <class Integer>
Window window(const Integer* w) {
    return {int(w[0]), int(w[1]), int(w[2]), int(w[3]), int(w[4]), int(w[5])};
}

// numbers N, H, W, in, stride, out, bias or not, window
ConvShape conv_shape(const int64_t* n) {
    return {int(n[0]), int(n[1]), int(n[2]), int(n[3]), int(n[4]), int(n[5]), window(n + 7)};
}

// numbers N, H, W, channels, stride
Images images(const int64_t* n, float* data) { return {data, int(n[0]), int(n[1]), int(n[2]), int(n[3]), int(n[4])}; }

// numbers those of the images, norm or not, 1 / eps, window, 0 or N, 0 or N, as many columns inside, as many kept
Finish finish(const int64_t* n) {
    const int64_t *inside = n + 15, *kept = inside + n[13];
    return {bool(n[5]), 1. / n[6], window(n + 7), n[13] ? inside : nullptr, n[14] ? kept : nullptr};
}

float* readable(const float* data) { return const_cast<float*>(data); }  // for structures that know no const

// One for the process: its memory is kept from step to step, and Jittor runs one operator at a time.
TrainingConv& training_conv() {
    static TrainingConv conv;
    return conv;
}

Planes planes(const int64_t* n) { return {int(n[0]), int(n[1]), n[2]}; }

}  // namespace

extern "C" {

const char* crnn_error() { return error.c_str(); }

int crnn_lanes() { return LANES; }

Network* crnn_network_new(int channels) { return new Network(channels); }

void crnn_network_free(Network* net) { delete net; }

// window: kh, kw, sh, sw, ph, pw; fused: activation, pool_h, pool_w; method: 0 by rule, 1 direct, 2 Winograd
int crnn_network_conv(Network* net, int from, int to, int addend, int in, int out, const int* w, const int* fused,
                      int method, const float* weight, const float* bias) {
    return guarded([&] {
        net->add(std::unique_ptr<ImageLayer>(new ConvLayer(in, out, window(w), {Act(fused[0]), fused[1], fused[2]},
                                                           ConvLayer::Method(method), weight, bias)),
                 from, to, addend);
    });
}

int crnn_network_pool(Network* net, int from, int to, const int* w) {
    return guarded([&] { net->add(std::unique_ptr<ImageLayer>(new PoolLayer(window(w))), from, to, -1); });
}

int crnn_network_affine(Network* net, int from, int to, int channels, const float* scale, const float* shift, int act) {
    return guarded([&] {
        net->add(std::unique_ptr<ImageLayer>(new AffineLayer(channels, scale, shift, Act(act))), from, to, -1);
    });
}

int crnn_network_add(Network* net, int from, int to, int addend, int act) {
    return guarded([&] { net->add(std::unique_ptr<ImageLayer>(new AddLayer(Act(act))), from, to, addend); });
}

int crnn_network_linear(Network* net, int in, int out, const float* weight, const float* bias) {
    return guarded([&] { net->add(std::unique_ptr<SequenceLayer>(new LinearLayer(in, out, weight, bias))); });
}

int crnn_network_bilstm(Network* net, int in, int hidden, const float* w_ih, const float* w_hh, const float* bias) {
    return guarded([&] { net->add(std::unique_ptr<SequenceLayer>(new BiLSTMLayer(in, hidden, w_ih, w_hh, bias))); });
}

int crnn_network_context(Network* net, int features) {
    return guarded([&] { net->add(std::unique_ptr<SequenceLayer>(new ContextLayer(features))); });
}

// shape: steps, classes
int crnn_network_shape(Network* net, int h, int w, int* shape) {
    return guarded([&] {
        const Shape s = net->shape(h, w);
        shape[0] = s.steps;
        shape[1] = s.classes;
    });
}

int crnn_network_run(Network* net, const float* x, int n, int h, int w, float* logits) {
    return guarded([&] { net->run(x, n, h, w, logits); });
}

// For the Jittor operator: in x; out logits; numbers network, n, h, w.
const char* crnn_call_network(const float* const* in, float* const* out, const int64_t* numbers) {
    Network* net = reinterpret_cast<Network*>(numbers[0]);
    return call([&] { net->run(in[0], int(numbers[1]), int(numbers[2]), int(numbers[3]), out[0]); });
}

// In x (T, N, C), w_ih (2, 4H, C), w_hh (2, 4H, H), bias (2, 4H); out h (T, N, 2H), gates (T, N, 2, 4, wide),
// cells (T, N, 2, wide); numbers T, N, C, H, 0 or N, as many lengths.
const char* crnn_call_bilstm(const float* const* in, float* const* out, const int64_t* numbers) {
    static BiLSTM lstm;  // keeps its memory from step to step; Jittor runs one operator at a time
    const int in_features = int(numbers[2]), hidden = int(numbers[3]);
    return call([&] {
        lstm.pack(in_features, hidden, in[1], in[2], in[3]);
        Recurrence r = recurrence(numbers, out[1], out[0], out[2]);
        lstm.run(in[0], r);
    });
}

// In dh (T, N, 2H), x, w_ih, w_hh, h, gates, cells; out dx, dw_ih, dw_hh, dbias; numbers as above.
const char* crnn_call_bilstm_grad(const float* const* in, float* const* out, const int64_t* numbers) {
    static BiLSTMGrad grad;
    return call([&] {
        grad.pack(int(numbers[2]), int(numbers[3]), in[2], in[3]);
        const auto kept = [&](int i) { return const_cast<float*>(in[i]); };  // read only from here on
        grad.run(recurrence(numbers, kept(5), kept(4), kept(6)), in[1], in[0], {out[0], out[1], out[2], out[3]});
    });
}

// Images from planes (N, C, H, W) to pixels (N, H, W, stride) and back; numbers N, H, W, C, stride. In x; out y.
const char* crnn_call_to_pixels(const float* const* in, float* const* out, const int64_t* numbers) {
    return call([&] { from_planes(in[0], images(numbers, out[0])); });
}

const char* crnn_call_to_planes(const float* const* in, float* const* out, const int64_t* numbers) {
    return call([&] { to_planes(images(numbers, readable(in[0])), out[0]); });
}

// Convolutions for training, on pixels; numbers: conv_shape. In x, weight, (bias); out y.
const char* crnn_call_conv(const float* const* in, float* const* out, const int64_t* numbers) {
    const ConvShape s = conv_shape(numbers);
    return call([&] {
        training_conv().forward(s, s.input(readable(in[0])), in[1], numbers[6] ? in[2] : nullptr, s.output(out[0]));
    });
}

// In dy, weight; out dx.
const char* crnn_call_conv_input_grad(const float* const* in, float* const* out, const int64_t* numbers) {
    const ConvShape s = conv_shape(numbers);
    return call([&] { training_conv().input_gradient(s, s.output(readable(in[0])), in[1], s.input(out[0])); });
}

// In x, dy; out dweight, dbias.
const char* crnn_call_conv_weight_grad(const float* const* in, float* const* out, const int64_t* numbers) {
    const ConvShape s = conv_shape(numbers);
    return call([&] {
        training_conv().weight_gradient(s, s.input(readable(in[0])), s.output(readable(in[1])), out[0], out[1]);
    });
}

// What follows a convolution, on pixels; numbers: finish. In z, (weight, bias); out y, (mean, var).
const char* crnn_call_finish(const float* const* in, float* const* out, const int64_t* numbers) {
    return call([&] {
        const Finish f = finish(numbers);
        const Images z = images(numbers, readable(in[0]));
        FinishTraining work(f, z);
        if (f.norm) work.forward(in[1], in[2], f.output(z, out[0]), out[1], out[2]);
        else work.forward(nullptr, nullptr, f.output(z, out[0]), nullptr, nullptr);
    });
}

// In dy, z, (weight, bias, mean, var); out dz, (dweight, dbias).
const char* crnn_call_finish_grad(const float* const* in, float* const* out, const int64_t* numbers) {
    return call([&] {
        const Finish f = finish(numbers);
        const Images z = images(numbers, readable(in[1])), dy = f.output(z, readable(in[0])), dz = images(numbers, out[0]);
        FinishTraining work(f, z);
        if (f.norm) work.backward(in[2], in[3], in[4], in[5], dy, dz, out[1], out[2]);
        else work.backward(nullptr, nullptr, nullptr, nullptr, dy, dz, nullptr, nullptr);
    });
}

// Batch normalisation; numbers N, C, H * W, 1 / eps. In x, weight, bias; out y, mean, var.
const char* crnn_call_batch_norm(const float* const* in, float* const* out, const int64_t* numbers) {
    return call([&] { batch_norm(planes(numbers), in[0], in[1], in[2], 1. / numbers[3], out[0], out[1], out[2]); });
}

// In x, dy, weight, mean, var; out dx, dweight, dbias.
const char* crnn_call_batch_norm_grad(const float* const* in, float* const* out, const int64_t* numbers) {
    return call([&] {
        batch_norm_gradient(planes(numbers), in[0], in[1], in[2], in[3], in[4], 1. / numbers[3], out[0], out[1], out[2]);
    });
}

// Max pooling; numbers planes, H, W, window. In x; out y, places.
const char* crnn_call_max_pool(const float* const* in, float* const* out, const int64_t* numbers) {
    return call([&] {
        max_pool_planes(numbers[0], int(numbers[1]), int(numbers[2]), window(numbers + 3), in[0], out[0], out[1]);
    });
}

// In dy, places; out dx.
const char* crnn_call_max_pool_grad(const float* const* in, float* const* out, const int64_t* numbers) {
    return call([&] {
        const Window w = window(numbers + 3);
        const int h = int(numbers[1]), width = int(numbers[2]);
        const int64_t area = int64_t(w.out_h(h)) * w.out_w(width);
        max_pool_gradient(numbers[0], int64_t(h) * width, area, in[0], in[1], out[0]);
    });
}

// Numbers: T, N, K, S, lengths, sizes, targets (N, S). In logits (T, N, K); out loss (N,), gradient (T, N, K).
const char* crnn_call_ctc(const float* const* in, float* const* out, const int64_t* numbers) {
    const int n = int(numbers[1]);
    const Labels labels{int(numbers[0]), n, int(numbers[2]), int(numbers[3]), numbers + 4, numbers + 4 + n, numbers + 4 + 2 * n};
    return call([&] { ctc(labels, in[0], out[0], out[1]); });
}

// Numbers: count. In x; out y.
const char* crnn_call_relu(const float* const* in, float* const* out, const int64_t* numbers) {
    return call([&] { relu(numbers[0], in[0], out[0]); });
}

// In dy, y; out dx.
const char* crnn_call_relu_grad(const float* const* in, float* const* out, const int64_t* numbers) {
    return call([&] { relu_gradient(numbers[0], in[0], in[1], out[0]); });
}

// Of all arrays together; numbers: their count, their sizes. In the arrays; out their squares' sum (1,).
const char* crnn_call_sum_of_squares(const float* const* in, float* const* out, const int64_t* numbers) {
    return call([&] { *out[0] = sum_of_squares(int(numbers[0]), numbers + 1, in); });
}

// In settings (struct Adam without scale), scale (1,), p, g, m, v of each parameter; out p, m, v of each.
const char* crnn_call_adam(const float* const* in, float* const* out, const int64_t* numbers) {
    const float* s = in[0];
    return call([&] {
        adam({s[0], s[1], s[2], s[3], s[4], s[5], s[6], s[7], *in[1]}, int(numbers[0]), numbers + 1, in + 2, out);
    });
}

// In decay and share (2,), average and value of each; out the new averages.
const char* crnn_call_average(const float* const* in, float* const* out, const int64_t* numbers) {
    return call([&] { average(in[0][0], in[0][1], int(numbers[0]), numbers + 1, in + 1, out); });
}

}  // extern "C"
