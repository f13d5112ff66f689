// Vectors of floats as wide as the machine's, and the few functions on them that the kernels need.
//
// Written with GCC's vector extension, so that one text serves AVX-512, AVX2 and SSE2; the target is chosen by -march.
// GCC 12 compiles vectors wider than the target's registers badly, hence the width per target.
#pragma once
#include <cstdint>
#include <cstring>

namespace crnn {

#if defined(__AVX512F__)
constexpr int LANES = 16;      // floats per vector
constexpr int PANEL_VECS = 4;  // vectors of output columns in one tile of a product (32 registers: 24 sums)
constexpr int LSTM_ROWS = 6;   // sequences stepped together by the recurrence
#elif defined(__AVX2__)
constexpr int LANES = 8;
constexpr int PANEL_VECS = 2;  // 16 registers: 12 sums
constexpr int LSTM_ROWS = 2;
#else
constexpr int LANES = 4;
constexpr int PANEL_VECS = 2;
constexpr int LSTM_ROWS = 2;
#endif
constexpr int LINE = 16;                   // floats in a line of the cache
constexpr int TILE_ROWS = 6;               // rows of one tile
constexpr int PANEL = PANEL_VECS * LANES;  // columns of one tile

typedef float Vec __attribute__((vector_size(4 * LANES)));
typedef float VecUnaligned __attribute__((vector_size(4 * LANES), aligned(4), may_alias));
typedef int32_t IntVec __attribute__((vector_size(4 * LANES)));

#define CRNN_INLINE static inline __attribute__((always_inline))

constexpr int round_up(int n, int to) { return (n + to - 1) / to * to; }
constexpr int padded(int channels) { return round_up(channels, LANES); }

CRNN_INLINE Vec load(const float* p) { return *(const VecUnaligned*)p; }
CRNN_INLINE void store(float* p, Vec v) { *(VecUnaligned*)p = v; }
CRNN_INLINE Vec splat(float x) { return Vec{} + x; }
CRNN_INLINE Vec max(Vec a, Vec b) { return a > b ? a : b; }
CRNN_INLINE Vec min(Vec a, Vec b) { return a < b ? a : b; }

// The first n lanes only: the last vector of a row that is no multiple of LANES long.
CRNN_INLINE void store_first(float* p, Vec v, int n) {
    if (n >= LANES) store(p, v);
    else std::memcpy(p, &v, n * sizeof(float));
}

// e^x, relative error about 1e-7 (Cephes' polynomial); the argument is clamped to where floats can follow.
CRNN_INLINE Vec exp(Vec x) {
    x = min(max(x, splat(-87.f)), splat(87.f));
    const Vec scaled = x * 1.44269504f;
    const IntVec n = __builtin_convertvector(scaled + (scaled > 0.f ? splat(.5f) : splat(-.5f)), IntVec);
    const Vec whole = __builtin_convertvector(n, Vec);
    const Vec r = (x - whole * 0.693359375f) + whole * 2.12194440e-4f;
    Vec p = splat(1.9875691500e-4f);
    p = p * r + 1.3981999507e-3f;
    p = p * r + 8.3334519073e-3f;
    p = p * r + 4.1665795894e-2f;
    p = p * r + 1.6666665459e-1f;
    p = p * r + 5.0000001201e-1f;
    p = p * r * r + r + 1.f;
    const IntVec power = (n + 127) << 23;  // 2^n, put together from its bits
    return p * (Vec)power;
}

CRNN_INLINE Vec sigmoid(Vec x) { return 1.f / (1.f + exp(-x)); }
CRNN_INLINE Vec tanh(Vec x) { return 1.f - 2.f / (exp(x + x) + 1.f); }

// The error function, absolute error about 2e-7 (Abramowitz & Stegun, formula 7.1.26).
CRNN_INLINE Vec erf(Vec x) {
    const Vec size = x < 0.f ? -x : x, t = 1.f / (1.f + 0.3275911f * size);
    Vec p = splat(1.061405429f);
    p = p * t - 1.453152027f;
    p = p * t + 1.421413741f;
    p = p * t - 0.284496736f;
    p = p * t + 0.254829592f;
    const Vec y = 1.f - p * t * exp(-size * size);
    return x < 0.f ? -y : y;
}

enum class Act : int { none = 0, relu = 1, hardswish = 2, relu6 = 3, hardsigmoid = 4, gelu = 5, sigmoid = 6 };

// Whether an activation only clips: those are done in the inner loops, the others would take their registers.
CRNN_INLINE bool clips(Act act) { return act == Act::relu || act == Act::relu6; }
CRNN_INLINE Vec clip(Vec v, Act act) { return min(max(v, Vec{}), splat(act == Act::relu6 ? 6.f : 3.4e38f)); }

// Never inlined: the same bits wherever they are used.
static __attribute__((noinline)) Vec activate_curved(Vec v, Act act) {
    const Vec clipped = min(max(v + 3.f, Vec{}), splat(6.f));
    switch (act) {
        case Act::hardswish: return v * clipped * (1.f / 6.f);
        case Act::hardsigmoid: return clipped * (1.f / 6.f);
        case Act::gelu: return .5f * v * (1.f + erf(v * 0.70710678f));
        case Act::sigmoid: return sigmoid(v);
        default: return v;
    }
}

CRNN_INLINE Vec activate(Vec v, Act act) {
    if (act == Act::none) return v;
    return clips(act) ? clip(v, act) : activate_curved(v, act);
}

}  // namespace crnn
