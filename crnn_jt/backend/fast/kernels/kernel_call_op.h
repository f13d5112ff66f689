// The one Jittor operator of this room: calls a function of the kernels' library on Jittor's memory.
#pragma once
#include "op.h"

namespace jittor {

struct KernelCallOp : Op {
    vector<Var*> in, out;
    int64 function;
    vector<int64> words;

    // @attrs(multiple_outputs)
    KernelCallOp(vector<Var*>&& in, vector<NanoVector>&& shapes, int64 function, vector<int64>&& words);

    const char* name() const override { return "kernel_call"; }
    void run() override;
};

}  // namespace jittor
