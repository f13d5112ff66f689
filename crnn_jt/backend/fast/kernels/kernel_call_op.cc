#include "kernel_call_op.h"

#include "var.h"

namespace jittor {

// Inputs (float32, or levels of 8 bits), outputs (float32), the words of a message (fields.h); returns null or the
// reason why not.
using Function = const char* (*)(const float* const*, float* const*, const int64*);

// `in` is copied, not moved: Jittor's own maker reads it afterwards to register the inputs.
KernelCallOp::KernelCallOp(vector<Var*>&& in, vector<NanoVector>&& shapes, int64 function, vector<int64>&& words)
    : in(in), function(function), words(move(words)) {
    flags.set(NodeFlags::_cpu);
    for (auto& shape : shapes) out.push_back(create_output(shape, ns_float32));
}

void KernelCallOp::run() {
    vector<const float*> from;
    vector<float*> to;
    for (Var* x : in) {
        ASSERT(x->dtype() == ns_float32 || x->dtype() == ns_uint8) << "kernels take no" << x->dtype();
        from.push_back(x->ptr<float>());
    }
    for (Var* y : out) to.push_back(y->ptr<float>());
    const char* error = reinterpret_cast<Function>(function)(from.data(), to.data(), words.data());
    CHECK(!error) << error;
}

}  // namespace jittor
