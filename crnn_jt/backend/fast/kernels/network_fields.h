// The parameters of a frozen network and its layers: see fields.h; the same as in network_fields.py.
#pragma once
#include "fields.h"

namespace crnn {

namespace fields {

// A frozen network run on (batch, channels, height, width).
CRNN_FIELDS(NetworkRun, {
    int64_t network;
    int32_t batch;
    int32_t height;
    int32_t width;
})

// The same on levels (batch, rows, columns, channels).
CRNN_FIELDS(NetworkRunLevels, {
    int64_t network;
    int32_t batch;
    int32_t height;
    int32_t width;
    int32_t rows;
    int32_t columns;
})

// `order` as of nhwc.h.
CRNN_FIELDS(NetworkEndMaps, { int32_t order; })

CRNN_FIELDS(NetworkBeginMaps, { int32_t rows; })

// Layers of a frozen network read value `source` (and `addend`, -1 for none) and write value `target`.
CRNN_FIELDS(NetworkConv, {
    int32_t source;
    int32_t target;
    int32_t addend;
    int32_t in_channels;
    int32_t out_channels;
    Window window;
    int32_t activation;
    int32_t pool_h;
    int32_t pool_w;
    int32_t method;
})

// How a value is rounded: to multiples of `step`, up to `bound` of them either way; step 0: not at all.
CRNN_FIELDS(Levels, {
    float step;
    float bound;
})

// A convolution in 8 bits.
CRNN_FIELDS(NetworkInt8Conv, {
    int32_t source;
    int32_t target;
    int32_t addend;
    int32_t in_channels;
    int32_t out_channels;
    Window window;
    int32_t activation;
    int32_t pool_h;
    int32_t pool_w;
    Levels comes;
    Levels goes;
})

CRNN_FIELDS(NetworkInt8Depthwise, {
    int32_t source;
    int32_t target;
    int32_t channels;
    Window window;
    int32_t activation;
    Levels comes;
    Levels goes;
})

CRNN_FIELDS(NetworkInt8Gate, {
    int32_t source;
    int32_t target;
    int32_t gate;
    Levels goes;
})

CRNN_FIELDS(NetworkRound, {
    int32_t source;
    int32_t target;
    Levels comes;
})

CRNN_FIELDS(NetworkInt8Linear, {
    int32_t in_features;
    int32_t out_features;
    Levels comes;
})

CRNN_FIELDS(NetworkInt8BiLSTM, {
    int32_t in_features;
    int32_t hidden;
    Levels comes;
})

CRNN_FIELDS(NetworkTransposedConv, {
    int32_t source;
    int32_t target;
    int32_t in_channels;
    int32_t out_channels;
    int32_t kernel_h;
    int32_t kernel_w;
    int32_t activation;
})

CRNN_FIELDS(NetworkDepthwise, {
    int32_t source;
    int32_t target;
    int32_t channels;
    Window window;
    int32_t activation;
})

CRNN_FIELDS(NetworkGlobalMean, {
    int32_t source;
    int32_t target;
})

CRNN_FIELDS(NetworkGate, {
    int32_t source;
    int32_t target;
    int32_t gate;
})

CRNN_FIELDS(NetworkFold, {
    int32_t source;
    int32_t target;
    int32_t kernel_h;
    int32_t kernel_w;
})

CRNN_FIELDS(NetworkPick, {
    int32_t source;
    int32_t target;
    int32_t count;
})

CRNN_FIELDS(NetworkUpsample, {
    int32_t source;
    int32_t target;
    int32_t down;
    int32_t along;
})

// Of `count` values, whose numbers come beside it.
CRNN_FIELDS(NetworkConcat, {
    int32_t target;
    int32_t count;
})

CRNN_FIELDS(NetworkLayerNorm, {
    int32_t source;
    int32_t target;
    int32_t channels;
    float eps;
})

CRNN_FIELDS(NetworkSoftmax, {
    int32_t source;
    int32_t target;
})

CRNN_FIELDS(NetworkTable, {
    int32_t source;
    int32_t target;
    int32_t steps;
    int32_t channels;
    int32_t added;
})

CRNN_FIELDS(NetworkAttention, {
    int32_t queries;
    int32_t keys;
    int32_t values;
    int32_t lengths;
    int32_t target;
    int32_t heads;
    int32_t features;
    int32_t first_query;
    int32_t first_key;
    int32_t first_value;
    int32_t diagonal;
    float scale;
})

CRNN_FIELDS(NetworkTextLengths, {
    int32_t source;
    int32_t target;
})

CRNN_FIELDS(NetworkBlend, {
    int32_t share;
    int32_t one;
    int32_t other;
    int32_t target;
})

CRNN_FIELDS(NetworkFitColumns, {
    int32_t source;
    int32_t like;
    int32_t target;
    int32_t multiple;
})

CRNN_FIELDS(NetworkSample, {
    int32_t source;
    int32_t ways;
    int32_t target;
    int32_t height;
    int32_t width;
    int32_t points;
    int32_t clipped;
})

CRNN_FIELDS(NetworkDecoder, {
    int32_t source;
    int32_t keys;
    int32_t target;
    int32_t features;
    int32_t attention;
    int32_t hidden;
    int32_t classes;
    int32_t steps;
    int32_t gru;
})

CRNN_FIELDS(NetworkPool, {
    int32_t source;
    int32_t target;
    Window window;
})

CRNN_FIELDS(NetworkAffine, {
    int32_t source;
    int32_t target;
    int32_t channels;
    int32_t activation;
})

CRNN_FIELDS(NetworkAdd, {
    int32_t source;
    int32_t target;
    int32_t addend;
    int32_t activation;
})

CRNN_FIELDS(NetworkLinear, {
    int32_t in_features;
    int32_t out_features;
})

CRNN_FIELDS(NetworkBiLSTM, {
    int32_t in_features;
    int32_t hidden;
})

CRNN_FIELDS(NetworkContext, { int32_t features; })

static const Layout NETWORK_LAYOUTS[] = {NetworkRunLayout,
                                         NetworkRunLevelsLayout,
                                         NetworkEndMapsLayout,
                                         NetworkBeginMapsLayout,
                                         NetworkConvLayout,
                                         NetworkTransposedConvLayout,
                                         NetworkDepthwiseLayout,
                                         NetworkGlobalMeanLayout,
                                         NetworkGateLayout,
                                         NetworkSampleLayout,
                                         NetworkDecoderLayout,
                                         NetworkFoldLayout,
                                         NetworkPickLayout,
                                         NetworkUpsampleLayout,
                                         NetworkConcatLayout,
                                         NetworkLayerNormLayout,
                                         NetworkSoftmaxLayout,
                                         NetworkTableLayout,
                                         NetworkAttentionLayout,
                                         NetworkTextLengthsLayout,
                                         NetworkBlendLayout,
                                         NetworkFitColumnsLayout,
                                         NetworkPoolLayout,
                                         NetworkAffineLayout,
                                         NetworkAddLayout,
                                         NetworkLinearLayout,
                                         NetworkBiLSTMLayout,
                                         NetworkContextLayout,
                                         NetworkInt8ConvLayout,
                                         NetworkRoundLayout,
                                         NetworkInt8DepthwiseLayout,
                                         NetworkInt8LinearLayout,
                                         NetworkInt8BiLSTMLayout,
                                         NetworkInt8GateLayout,
                                         LevelsLayout};

// A line for each struct: name, size in bytes, text.
inline std::string describe_layouts() {
    std::string all;
    const auto add = [&](const Layout& layout) {
        all += std::string(layout.name) + " " + std::to_string(layout.size) + " " + layout.text + "\n";
    };
    for (const Layout& layout : TRAINING_LAYOUTS) add(layout);
    for (const Layout& layout : NETWORK_LAYOUTS) add(layout);
    return all;
}

}  // namespace fields

}  // namespace crnn
