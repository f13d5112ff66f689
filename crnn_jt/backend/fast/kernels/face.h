// What the two halves of the C face share: errors instead of exceptions, and the shapes of its functions.
#pragma once
#include "conv.h"
#include "network_fields.h"

namespace crnn {

static thread_local std::string error;  // not inline: that would be one for all libraries of a process

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

using Inputs = const float* const*;
using Outputs = float* const*;
using Words = const int64_t*;

static inline Window window(const fields::Window& f) {
    return {f.kernel_h, f.kernel_w, f.stride_h, f.stride_w, f.padding_h, f.padding_w};
}

}  // namespace crnn
