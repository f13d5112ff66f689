// Values in 8 bits in memory: what int8.h multiplies, and why a level of zero is no zero there.
#pragma once
#include "conv.h"

namespace crnn {

#if defined(__AVX512VNNI__) || (defined(__AVXVNNI__) && !defined(__AVX512F__))
using Level = uint8_t;
using LevelWeight = int8_t;
constexpr int ZERO = 128;  // the byte that is level zero
#else
using Level = int16_t;
using LevelWeight = int16_t;
constexpr int ZERO = 0;
#endif

typedef Level LevelVec __attribute__((vector_size(LANES * sizeof(Level))));
typedef LevelVec LevelVecUnaligned __attribute__((aligned(1), may_alias));

static inline Level* levels_of(const Images& x) { return reinterpret_cast<Level*>(x.data); }

}  // namespace crnn
