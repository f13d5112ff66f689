// How the functions of the C face add layers to a network.
#pragma once
#include "face.h"
#include "network.h"

namespace crnn {

template <class Layer, class... Arguments>
int add_image_layer(Network* net, std::vector<int> sources, int target, const Arguments&... arguments) {
    return guarded([&] { net->add(std::unique_ptr<ImageLayer>(new Layer(arguments...)), sources, target); });
}

static inline std::vector<int> with_addend(int source, int addend) {
    return addend < 0 ? std::vector<int>{source} : std::vector<int>{source, addend};
}

template <class Layer, class... Arguments>
int add_sequence_layer(Network* net, const Arguments&... arguments) {
    return guarded([&] { net->add(std::unique_ptr<SequenceLayer>(new Layer(arguments...))); });
}

}  // namespace crnn
