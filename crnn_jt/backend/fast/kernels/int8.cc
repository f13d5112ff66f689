// The C face of the layers in 8 bits, a library of its own: it is compiled when a file in 8 bits is first read, and
// adds its layers to a network of kernels.cc, from the same sources and flags. Its functions return as those of
// network_face.h.
#include "adding.h"
#include "int8_lstm.h"

using namespace crnn;

static Rounding rounding(const fields::Levels& levels) { return {levels.step, levels.bound}; }

extern "C" {

const char* crnn_int8_error() { return error.c_str(); }

// Whole numbers `weight`; a sum times `scale` + `bias` (out,) goes out.
int crnn_int8_conv(Network* net, const fields::NetworkInt8Conv* f, const float* weight, const float* scale,
                   const float* bias) {
    const Fused fused{Act(f->activation), f->pool_h, f->pool_w};
    const Rounding comes = rounding(f->comes), goes = rounding(f->goes);
    return add_image_layer<Int8ConvLayer>(net, with_addend(f->source, f->addend), f->target, f->in_channels,
                                          f->out_channels, window(f->window), fused, comes, goes, weight, scale, bias);
}

// Whole numbers `weight` (channels, kh, kw).
int crnn_int8_depthwise(Network* net, const fields::NetworkInt8Depthwise* f, const float* weight, const float* scale,
                        const float* bias) {
    const Rounding comes = rounding(f->comes), goes = rounding(f->goes);
    return add_image_layer<Int8DepthwiseLayer>(net, {f->source}, f->target, f->channels, window(f->window),
                                               Act(f->activation), comes, goes, weight, scale, bias);
}

int crnn_int8_gate(Network* net, const fields::NetworkInt8Gate* f) {
    return add_image_layer<Int8GateLayer>(net, {f->source, f->gate}, f->target, rounding(f->goes));
}

int crnn_int8_round(Network* net, const fields::NetworkRound* f) {
    return add_image_layer<RoundLayer>(net, {f->source}, f->target, rounding(f->comes));
}

int crnn_int8_linear(Network* net, const fields::NetworkInt8Linear* f, const float* weight, const float* scale,
                     const float* bias) {
    return add_sequence_layer<Int8LinearLayer>(net, f->in_features, f->out_features, rounding(f->comes), weight, scale,
                                               bias);
}

// Whole numbers w_ih and w_hh, their scales and bias (2, 4 * hidden).
int crnn_int8_bilstm(Network* net, const fields::NetworkInt8BiLSTM* f, const float* w_ih, const float* ih_scale,
                     const float* w_hh, const float* hh_scale, const float* bias) {
    return add_sequence_layer<Int8BiLSTMLayer>(net, f->in_features, f->hidden, rounding(f->comes), w_ih, ih_scale, w_hh,
                                               hh_scale, bias);
}

}  // extern "C"
