// The frozen network's part of the C face: crnn_network_*. See kernels.cc.
#pragma once
#include "adding.h"
#include "text_layers.h"

using namespace crnn;

extern "C" {

Network* crnn_network_new(int channels) { return new Network(channels); }

void crnn_network_free(Network* net) { delete net; }

// The image layers that follow read the steps so far as maps.
int crnn_network_begin_maps(Network* net, const fields::NetworkBeginMaps* f) {
    return guarded([&] { net->begin_maps(f->rows); });
}

int crnn_network_end_maps(Network* net, const fields::NetworkEndMaps* f) {
    return guarded([&] { net->end_maps(Order(f->order)); });
}

int crnn_network_conv(Network* net, const fields::NetworkConv* f, const float* weight, const float* bias) {
    const Fused fused{Act(f->activation), f->pool_h, f->pool_w};
    return add_image_layer<ConvLayer>(net, with_addend(f->source, f->addend), f->target, f->in_channels,
                                      f->out_channels, window(f->window), fused, ConvLayer::Method(f->method), weight,
                                      bias);
}

int crnn_network_transposed_conv(Network* net, const fields::NetworkTransposedConv* f, const float* weight,
                                 const float* bias) {
    return add_image_layer<TransposedConvLayer>(net, {f->source}, f->target, f->in_channels, f->out_channels,
                                                f->kernel_h, f->kernel_w, Act(f->activation), weight, bias);
}

int crnn_network_depthwise(Network* net, const fields::NetworkDepthwise* f, const float* weight, const float* bias) {
    return add_image_layer<DepthwiseLayer>(net, {f->source}, f->target, f->channels, window(f->window),
                                           Act(f->activation), weight, bias);
}

int crnn_network_global_mean(Network* net, const fields::NetworkGlobalMean* f) {
    return add_image_layer<GlobalMeanLayer>(net, {f->source}, f->target);
}

int crnn_network_gate(Network* net, const fields::NetworkGate* f) {
    return add_image_layer<GateLayer>(net, {f->source, f->gate}, f->target);
}

int crnn_network_layer_norm(Network* net, const fields::NetworkLayerNorm* f, const float* weight, const float* bias) {
    return add_image_layer<LayerNormLayer>(net, {f->source}, f->target, f->channels, f->eps, weight, bias);
}

int crnn_network_softmax(Network* net, const fields::NetworkSoftmax* f) {
    return add_image_layer<SoftmaxLayer>(net, {f->source}, f->target);
}

int crnn_network_table(Network* net, const fields::NetworkTable* f, const float* table) {
    return add_image_layer<TableLayer>(net, {f->source}, f->target, f->steps, f->channels, bool(f->added), table);
}

int crnn_network_attention(Network* net, const fields::NetworkAttention* f) {
    std::vector<int> sources{f->queries, f->keys, f->values};
    if (f->lengths >= 0) sources.push_back(f->lengths);
    return add_image_layer<AttentionLayer>(net, sources, f->target, f->heads, f->features, f->scale, bool(f->diagonal),
                                           f->first_query, f->first_key, f->first_value);
}

int crnn_network_text_lengths(Network* net, const fields::NetworkTextLengths* f) {
    return add_image_layer<TextLengthsLayer>(net, {f->source}, f->target);
}

int crnn_network_blend(Network* net, const fields::NetworkBlend* f) {
    return add_image_layer<BlendLayer>(net, {f->share, f->one, f->other}, f->target);
}

// Of f->points points; spline (height * width, points).
int crnn_network_sample(Network* net, const fields::NetworkSample* f, const float* places, const float* spline) {
    return add_image_layer<SampleLayer>(net, with_addend(f->source, f->ways), f->target, f->height, f->width, f->points,
                                        bool(f->clipped), places, spline);
}

// The arrays as struct DecoderWeights has them.
int crnn_network_decoder(Network* net, const fields::NetworkDecoder* f, const float* query, const float* energy,
                         const float* symbols, const float* context, const float* hidden, const float* bias,
                         const float* head, const float* head_bias) {
    const DecoderWeights weights{query, energy, symbols, context, hidden, bias, head, head_bias};
    return add_image_layer<DecoderLayer>(net, {f->source, f->keys}, f->target, f->features, f->attention, f->hidden,
                                         f->classes, f->steps, bool(f->gru), weights);
}

int crnn_network_fit_columns(Network* net, const fields::NetworkFitColumns* f) {
    return add_image_layer<FitColumnsLayer>(net, with_addend(f->source, f->like), f->target, f->multiple);
}

int crnn_network_pool(Network* net, const fields::NetworkPool* f) {
    return add_image_layer<PoolLayer>(net, {f->source}, f->target, window(f->window));
}

int crnn_network_mean_pool(Network* net, const fields::NetworkPool* f) {
    return add_image_layer<MeanPoolLayer>(net, {f->source}, f->target, window(f->window));
}

int crnn_network_fold(Network* net, const fields::NetworkFold* f) {
    return add_image_layer<FoldLayer>(net, {f->source}, f->target, f->kernel_h, f->kernel_w);
}

// Of f->count channels.
int crnn_network_pick(Network* net, const fields::NetworkPick* f, const int32_t* channels) {
    return add_image_layer<PickLayer>(net, {f->source}, f->target, std::vector<int>(channels, channels + f->count));
}

int crnn_network_upsample(Network* net, const fields::NetworkUpsample* f) {
    return add_image_layer<UpsampleLayer>(net, {f->source}, f->target, f->down, f->along);
}

// Of f->count values.
int crnn_network_concat(Network* net, const fields::NetworkConcat* f, const int32_t* sources) {
    return add_image_layer<ConcatLayer>(net, std::vector<int>(sources, sources + f->count), f->target);
}

int crnn_network_affine(Network* net, const fields::NetworkAffine* f, const float* scale, const float* shift) {
    return add_image_layer<AffineLayer>(net, {f->source}, f->target, f->channels, scale, shift, Act(f->activation));
}

int crnn_network_add(Network* net, const fields::NetworkAdd* f) {
    return add_image_layer<AddLayer>(net, with_addend(f->source, f->addend), f->target, Act(f->activation));
}

int crnn_network_linear(Network* net, const fields::NetworkLinear* f, const float* weight, const float* bias) {
    return add_sequence_layer<LinearLayer>(net, f->in_features, f->out_features, weight, bias);
}

int crnn_network_bilstm(Network* net, const fields::NetworkBiLSTM* f, const float* w_ih, const float* w_hh,
                        const float* bias) {
    return add_sequence_layer<BiLSTMLayer>(net, f->in_features, f->hidden, w_ih, w_hh, bias);
}

int crnn_network_context(Network* net, const fields::NetworkContext* f) {
    return add_sequence_layer<ContextLayer>(net, f->features);
}

// What comes of images of height x width: maps (channels, h, w), or where `maps` is 0 w steps of channels features.
int crnn_network_shape(Network* net, int height, int width, int* maps, int* channels, int* h, int* w) {
    return guarded([&] {
        const Shape shape = net->shape(height, width);
        *maps = shape.maps;
        *channels = shape.channels;
        *h = shape.h;
        *w = shape.w;
    });
}

// x (batch, channels, height, width) -> steps (w, batch, channels) or maps (batch, channels, h, w).
int crnn_network_run(Network* net, const fields::NetworkRun* f, const float* x, float* out) {
    return guarded([&] { net->run(x, f->batch, f->height, f->width, out); });
}

// The same as an operator. In x; out as there.
const char* crnn_call_network(Inputs in, Outputs out, Words words) {
    const Message<fields::NetworkRun> m(words);
    return call([&] { reinterpret_cast<Network*>(m->network)->run(in[0], m->batch, m->height, m->width, out[0]); });
}

// As an operator on levels of 8 bits (batch, rows, columns, channels), scaled and padded to height x width.
const char* crnn_call_network_levels(Inputs in, Outputs out, Words words) {
    const Message<fields::NetworkRunLevels> m(words);
    return call([&] {
        reinterpret_cast<Network*>(m->network)
            ->run(reinterpret_cast<const uint8_t*>(in[0]), m->rows, m->columns, m->batch, m->height, m->width, out[0]);
    });
}

}  // extern "C"
