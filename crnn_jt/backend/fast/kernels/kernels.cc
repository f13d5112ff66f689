// The C face of the kernels, for ctypes and for the Jittor operator: arrays, structs of fields.h, no exception passes.
//
// crnn_network_* (network_face.h): the frozen network; they return 0, or 1 with the reason in crnn_error().
// crnn_call_*: what the Jittor operator calls with input arrays, output arrays and a message of the struct of that
// name; null, or the reason.
#include "conv_train.h"
#include "ctc.h"
#include "epilogue_train.h"
#include "lstm_train.h"
#include "nchw.h"
#include "network_face.h"
#include "regions.h"
#include "unit_train.h"
#include "update.h"

using namespace crnn;

namespace {

Images images(const fields::Images& f, float* data) { return {data, f.batch, f.height, f.width, f.channels, f.stride}; }

ConvShape conv_shape(const fields::Conv& f) {
    return {f.x.batch, f.x.height, f.x.width, f.x.channels, f.x.stride, f.out_channels, window(f.window)};
}

Epilogue epilogue(const Message<fields::Epilogue>& m) {
    return {Act(m->act), window(m->pool), m.array(m->inside), m.array(m->kept)};
}

// From four arrays on, or none.
NormArrays norm_arrays(bool there, Inputs in) { return there ? NormArrays{in[0], in[1], in[2], in[3]} : NormArrays{}; }

UnitShape unit_shape(const Message<fields::Unit>& m) {
    const UnitShape whole{images(m->z, nullptr), m->out_channels,    bool(m->depthwise), window(m->window),
                          Act(m->act),           m.array(m->inside), bool(m->clears)};
    return whole.in_bands(m->gate_inner);
}

// The same memory as images of `shape`.
Images over(Images shape, const float* data) {
    shape.data = const_cast<float*>(data);
    return shape;
}

// weight, then what there is of bias; norm's weight, bias, mean, var; gate's w1, b1, w2, b2.
UnitArrays unit_arrays(const fields::Unit& f, Inputs in) {
    UnitArrays a{*in++, f.has_bias ? *in++ : nullptr, norm_arrays(f.has_norm, in), f.eps, {}};
    if (f.has_norm) in += 4;
    if (f.gate_inner) a.gate = {f.gate_inner, Act(f.gate_squeeze), Act(f.gate_act), in[0], in[1], in[2], in[3]};
    return a;
}

NchwShape nchw_shape(const fields::BatchNorm& f) { return {f.batch, f.channels, f.area}; }

Recurrence recurrence(const Message<fields::BiLSTM>& m, float* gates, float* h, float* cells) {
    return {m->steps, m->batch, m->hidden, padded(m->hidden), gates, h, cells, true, m.array(m->lengths)};
}

float* readable(const float* data) { return const_cast<float*>(data); }  // for structures that know no const

// One each for the process: its memory is kept from step to step, and Jittor runs one operator at a time.
TrainingConv& training_conv() {
    static TrainingConv conv;
    return conv;
}
TrainingUnit& training_unit() {
    static TrainingUnit unit;
    return unit;
}

}  // namespace

extern "C" {

const char* crnn_error() { return error.c_str(); }

const char* crnn_layouts() {
    static const std::string all = fields::describe_layouts();
    return all.c_str();
}

int crnn_lanes() { return LANES; }

// A map (H, W, stride), places (R, area, 2) -> the regions (R, C, area); 0, or 1 with the reason in crnn_error().
int crnn_cut_regions(const fields::Regions* f, const float* map, const float* places, float* out) {
    const RegionShape shape{f->channels, f->stride, f->height, f->width, f->regions, f->area};
    return guarded([&] { cut_regions(shape, map, places, out); });
}

// fields::BiLSTM. In x (T, N, C), w_ih (2, 4H, C), w_hh (2, 4H, H), bias (2, 4H); out h (T, N, 2H),
// gates (T, N, 2, 4, wide), cells (T, N, 2, wide).
const char* crnn_call_bilstm(Inputs in, Outputs out, Words words) {
    static BiLSTM lstm;  // keeps its memory from step to step; Jittor runs one operator at a time
    const Message<fields::BiLSTM> m(words);
    return call([&] {
        lstm.pack(m->features, m->hidden, in[1], in[2], in[3]);
        lstm.run(in[0], recurrence(m, out[1], out[0], out[2]));
    });
}

// In dh (T, N, 2H), x, w_ih, w_hh, h, gates, cells; out dx, dw_ih, dw_hh, dbias.
const char* crnn_call_bilstm_grad(Inputs in, Outputs out, Words words) {
    static BiLSTMGrad grad;
    const Message<fields::BiLSTM> m(words);
    return call([&] {
        grad.pack(m->features, m->hidden, in[2], in[3]);
        const Recurrence kept = recurrence(m, readable(in[5]), readable(in[4]), readable(in[6]));
        grad.run(kept, in[1], in[0], {out[0], out[1], out[2], out[3]});
    });
}

// fields::Images, between (N, C, H, W) and (N, H, W, stride). In x; out y.
const char* crnn_call_to_nhwc(Inputs in, Outputs out, Words words) {
    const Message<fields::Images> m(words);
    return call([&] { nchw_to_nhwc(in[0], images(*m, out[0])); });
}

const char* crnn_call_to_nchw(Inputs in, Outputs out, Words words) {
    const Message<fields::Images> m(words);
    return call([&] { nhwc_to_nchw(images(*m, readable(in[0])), out[0]); });
}

// fields::Conv, channels-last. In x, weight (out, in, kh, kw), with has_bias also bias (out,); out y.
const char* crnn_call_conv(Inputs in, Outputs out, Words words) {
    const Message<fields::Conv> m(words);
    const ConvShape s = conv_shape(*m);
    return call([&] {
        training_conv().forward(s, s.input(readable(in[0])), in[1], m->has_bias ? in[2] : nullptr, s.output(out[0]));
    });
}

// In dy, weight; out dx.
const char* crnn_call_conv_input_grad(Inputs in, Outputs out, Words words) {
    const ConvShape s = conv_shape(*Message<fields::Conv>(words));
    return call([&] { training_conv().input_gradient(s, s.output(readable(in[0])), in[1], s.input(out[0])); });
}

// In x, dy; out dweight, dbias.
const char* crnn_call_conv_weight_grad(Inputs in, Outputs out, Words words) {
    const ConvShape s = conv_shape(*Message<fields::Conv>(words));
    return call([&] {
        training_conv().weight_gradient(s, s.input(readable(in[0])), s.output(readable(in[1])), out[0], out[1]);
    });
}

// fields::Images, channels-last. In z; out mean, var (C,).
const char* crnn_call_statistics(Inputs in, Outputs out, Words words) {
    const Message<fields::Images> m(words);
    return call([&] { statistics(images(*m, readable(in[0])), out[0], out[1]); });
}

// fields::Epilogue, channels-last. In z, with has_norm also weight, bias, mean, var (C,), with has_addend also that;
// out y.
const char* crnn_call_epilogue(Inputs in, Outputs out, Words words) {
    return call([&] {
        const Message<fields::Epilogue> m(words);
        const Epilogue e = epilogue(m);
        const Images z = images(m->z, readable(in[0]));
        const float* addend = m->has_addend ? in[m->has_norm ? 5 : 1] : nullptr;
        TrainingEpilogue(e, z, norm_arrays(m->has_norm, in + 1), m->eps).forward(addend, e.output(z, out[0]));
    });
}

// In dy, z, with has_norm also weight, bias, mean, var; out dz, with has_norm also dweight, dbias, with defers also
// what is left to do to dz (3, stride).
const char* crnn_call_epilogue_grad(Inputs in, Outputs out, Words words) {
    return call([&] {
        const Message<fields::Epilogue> m(words);
        const Epilogue e = epilogue(m);
        const Images z = images(m->z, readable(in[1])), dz = images(m->z, out[0]);
        const TrainingEpilogue work(e, z, norm_arrays(m->has_norm, in + 2), m->eps);
        work.backward(e.output(z, readable(in[0])), dz, m->has_norm ? out[1] : nullptr, m->has_norm ? out[2] : nullptr,
                      m->defers ? out[3] : nullptr);
    });
}

// fields::Unit, channels-last. In z and `unit_arrays`; out y, with measures also mean, var (C,), with a gate also the
// means (N, stride) that it is made of.
const char* crnn_call_unit(Inputs in, Outputs out, Words words) {
    return call([&] {
        const Message<fields::Unit> m(words);
        const UnitShape s = unit_shape(m);
        Outputs means = out + (m->measures ? 3 : 1);
        training_unit().forward(s, unit_arrays(*m, in + 1), over(s.z, in[0]), s.output(out[0]),
                                m->measures ? out[1] : nullptr, m->measures ? out[2] : nullptr,
                                m->gate_inner ? *means : nullptr);
    });
}

// In dy, z, with deferred y and what is left to do to dy, with a gate the means, then `unit_arrays`; out dz, then the
// gradients of those arrays but mean and var, with defers also what is left to do to dz (3, stride).
const char* crnn_call_unit_grad(Inputs in, Outputs out, Words words) {
    return call([&] {
        const Message<fields::Unit> m(words);
        const UnitShape s = unit_shape(m);
        const Images dy = s.output(readable(*in++)), z = over(s.z, *in++), dz = over(s.z, *out++);
        UnitOutput output;
        if (m->deferred) output = {in[0], in[1]}, in += 2;
        const float* means = m->gate_inner ? *in++ : nullptr;
        UnitSlopes slopes{};
        slopes.weight = *out++;
        if (m->has_bias) slopes.bias = *out++;
        if (m->has_norm) slopes.norm_weight = *out++, slopes.norm_bias = *out++;
        for (int k = 0; m->gate_inner && k < 4; k++) slopes.gate[k] = *out++;
        if (m->defers) slopes.after = *out++;
        training_unit().backward(s, unit_arrays(*m, in), z, dy, output, means, dz, slopes);
    });
}

// fields::BatchNorm. In x (N, C, H, W), weight, bias (C,); out y, mean, var (C,).
const char* crnn_call_batch_norm(Inputs in, Outputs out, Words words) {
    const Message<fields::BatchNorm> m(words);
    return call([&] { batch_norm(nchw_shape(*m), in[0], in[1], in[2], m->eps, out[0], out[1], out[2]); });
}

// In x, dy, weight, mean, var; out dx, dweight, dbias.
const char* crnn_call_batch_norm_grad(Inputs in, Outputs out, Words words) {
    const Message<fields::BatchNorm> m(words);
    return call([&] {
        batch_norm_gradient(nchw_shape(*m), in[0], in[1], in[2], in[3], in[4], m->eps, out[0], out[1], out[2]);
    });
}

// fields::MaxPool. In x (planes, H, W); out y, places (planes, H', W').
const char* crnn_call_max_pool(Inputs in, Outputs out, Words words) {
    const Message<fields::MaxPool> m(words);
    return call([&] { max_pool_nchw(m->planes, m->height, m->width, window(m->window), in[0], out[0], out[1]); });
}

// In dy, places; out dx.
const char* crnn_call_max_pool_grad(Inputs in, Outputs out, Words words) {
    const Message<fields::MaxPool> m(words);
    return call([&] {
        const Window w = window(m->window);
        const int64_t in_area = int64_t(m->height) * m->width;
        const int64_t out_area = int64_t(w.out_h(m->height)) * w.out_w(m->width);
        max_pool_gradient(m->planes, in_area, out_area, in[0], in[1], out[0]);
    });
}

// fields::CTC. In logits (T, N, K); out loss (N,), gradient (T, N, K).
const char* crnn_call_ctc(Inputs in, Outputs out, Words words) {
    const Message<fields::CTC> m(words);
    const Labels labels{m->steps,          m->batch,           m->classes, m->longest, m.array(m->lengths),
                        m.array(m->sizes), m.array(m->targets)};
    return call([&] { ctc(labels, in[0], out[0], out[1]); });
}

// fields::ReLU. In x; out y.
const char* crnn_call_relu(Inputs in, Outputs out, Words words) {
    const Message<fields::ReLU> m(words);
    return call([&] { relu(m->count, in[0], out[0]); });
}

// In dy, y; out dx.
const char* crnn_call_relu_grad(Inputs in, Outputs out, Words words) {
    const Message<fields::ReLU> m(words);
    return call([&] { relu_gradient(m->count, in[0], in[1], out[0]); });
}

// fields::SumOfSquares. In the arrays; out the sum of all their squares (1,).
const char* crnn_call_sum_of_squares(Inputs in, Outputs out, Words words) {
    const Message<fields::SumOfSquares> m(words);
    return call([&] { *out[0] = sum_of_squares(m->sizes.count, m.array(m->sizes), in); });
}

// fields::Adam. In scale (1,), then p, g, m, v of each parameter; out p, m, v of each.
const char* crnn_call_adam(Inputs in, Outputs out, Words words) {
    const Message<fields::Adam> m(words);
    const Adam rule{m->keep,        m->decay, m->first,      m->first_rest, m->second,
                    m->second_rest, m->rate,  m->correction, *in[0]};
    return call([&] { adam(rule, m->sizes.count, m.array(m->sizes), in + 1, out); });
}

// fields::Average. In average and value of each array; out the new averages.
const char* crnn_call_average(Inputs in, Outputs out, Words words) {
    const Message<fields::Average> m(words);
    return call([&] { average(m->decay, m->share, m->sizes.count, m.array(m->sizes), in, out); });
}

}  // extern "C"
