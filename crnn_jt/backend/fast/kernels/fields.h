// The parameters of the operators, apart from their arrays: one struct of named fields each, the same as in fields.py.
//
// Python sends a struct to an operator as 64-bit integers, with the arrays of integers that it names after it
// (Message). A struct's own text is its description: fields.py compares all of them, and their sizes, when it loads the
// library.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>
#include <type_traits>

namespace crnn {

namespace fields {

struct Layout {
    const char* name;
    size_t size;
    const char* text;
};

#define CRNN_FIELDS(NAME, ...)                                                                   \
    struct NAME __VA_ARGS__;                                                                     \
    static_assert(std::is_standard_layout_v<NAME> && std::is_trivially_copyable_v<NAME>, #NAME); \
    constexpr Layout NAME##Layout{#NAME, sizeof(NAME), #__VA_ARGS__};

// An array of integers in the message, `count` from its word `first` on.
CRNN_FIELDS(Integers, {
    int32_t first;
    int32_t count;
})

// Of a convolution or pooling.
CRNN_FIELDS(Window, {
    int32_t kernel_h;
    int32_t kernel_w;
    int32_t stride_h;
    int32_t stride_w;
    int32_t padding_h;
    int32_t padding_w;
})

// Channels-last images, (batch, height, width, stride) floats.
CRNN_FIELDS(Images, {
    int32_t batch;
    int32_t height;
    int32_t width;
    int32_t channels;
    int32_t stride;
})

CRNN_FIELDS(Conv, {
    Images x;
    int32_t out_channels;
    int32_t has_bias;
    Window window;
})

// After a convolution in training; `inside` and `kept` (batch,) columns of its input and output, none where all count.
CRNN_FIELDS(Epilogue, {
    double eps;
    Images z;
    int32_t has_norm;
    int32_t has_addend;
    int32_t act;
    int32_t defers;
    Window pool;
    Integers inside;
    Integers kept;
})

// Norm, activation, gate, then a 1x1 or a depthwise convolution; `inside` (batch,) columns of z, none where all count:
// with `clears` the convolution finds zeros beyond them. `measures`: also mean and variance of what comes out. With
// `defers` backward leaves the norm's last step to the operator before, with `deferred` the one after has left its own.
CRNN_FIELDS(Unit, {
    double eps;
    Images z;
    int32_t out_channels;
    int32_t depthwise;
    Window window;
    int32_t has_bias;
    int32_t has_norm;
    int32_t act;
    int32_t gate_inner;
    int32_t gate_squeeze;
    int32_t gate_act;
    int32_t clears;
    int32_t measures;
    int32_t defers;
    int32_t deferred;
    Integers inside;
})

// On (batch, channels, area).
CRNN_FIELDS(BatchNorm, {
    double eps;
    int64_t area;
    int32_t batch;
    int32_t channels;
})

// On (planes, height, width).
CRNN_FIELDS(MaxPool, {
    int64_t planes;
    int32_t height;
    int32_t width;
    Window window;
})

// Regions of `area` places each of a map (height, width, stride), of whose floats a pixel the first are its channels.
CRNN_FIELDS(Regions, {
    int32_t channels;
    int32_t stride;
    int32_t height;
    int32_t width;
    int32_t regions;
    int32_t area;
})

CRNN_FIELDS(ReLU, { int64_t count; })

// `lengths` (batch,), none where every sequence has all steps.
CRNN_FIELDS(BiLSTM, {
    int32_t steps;
    int32_t batch;
    int32_t features;
    int32_t hidden;
    Integers lengths;
})

// `lengths` and `sizes` (batch,): steps and symbols; `targets` (batch, longest).
CRNN_FIELDS(CTC, {
    int32_t steps;
    int32_t batch;
    int32_t classes;
    int32_t longest;
    Integers lengths;
    Integers sizes;
    Integers targets;
})

// `sizes`: floats of each array.
CRNN_FIELDS(SumOfSquares, { Integers sizes; })

// As struct Adam of update.h.
CRNN_FIELDS(Adam, {
    float keep;
    float decay;
    float first;
    float first_rest;
    float second;
    float second_rest;
    float rate;
    float correction;
    Integers sizes;
})

CRNN_FIELDS(Average, {
    float decay;
    float share;
    Integers sizes;
})

static const Layout TRAINING_LAYOUTS[] = {IntegersLayout,     WindowLayout, ImagesLayout,    ConvLayout,
                                          EpilogueLayout,     UnitLayout,   BatchNormLayout, MaxPoolLayout,
                                          RegionsLayout,      ReLULayout,   BiLSTMLayout,    CTCLayout,
                                          SumOfSquaresLayout, AdamLayout,   AverageLayout};

}  // namespace fields

// A struct and the arrays after it, as an operator receives them.
template <class Fields>
class Message {
  public:
    explicit Message(const int64_t* words) : words_(words) { std::memcpy(&fields_, words, sizeof(Fields)); }
    const Fields* operator->() const { return &fields_; }
    const Fields& operator*() const { return fields_; }
    // Null where the array is empty.
    const int64_t* array(const fields::Integers& a) const { return a.count ? words_ + a.first : nullptr; }

  private:
    const int64_t* words_;
    Fields fields_;
};

}  // namespace crnn
