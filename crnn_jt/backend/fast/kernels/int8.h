// Products in 8 bits: rows of integers times packed integers, summed exactly in 32 bits, then rounded once.
//
// What comes in and the weights are levels, -127 to 127 (crnn_jt/layers/quantised.py). Sums of integers have no order:
// these products give the same bits on every instruction set, for any batch and number of threads. What follows a sum
// (scale, bias, addend) is rounded after each operation, never fused, since not every processor could.
//
// VNNI multiplies four bytes of either side at once, unsigned by signed: what comes in is kept as bytes 128 higher, and
// 128 times the weights is taken off again. The other sets would saturate sums of bytes in 16 bits: there a level is 16
// bits wide, and two products are summed at once in 32.
#pragma once
#if defined(__SSE2__)
#include <immintrin.h>
#endif
#include <cmath>
#include <stdexcept>

#include "levels.h"

namespace crnn {

constexpr int GROUP = 4 / sizeof(Level);  // levels that a lane takes together
constexpr int MOST_DEPTH = 1 << 16;       // products in a sum of 32 bits: 255 * 127 each at most

typedef IntVec IntVecUnaligned __attribute__((aligned(4), may_alias));
// sum + the two products of each lane's words of 16 bits.
CRNN_INLINE IntVec dot_words(IntVec sum, IntVec x, IntVec w) {
#if defined(__AVX512VNNI__)
    return (IntVec)_mm512_dpwssd_epi32((__m512i)sum, (__m512i)x, (__m512i)w);
#elif defined(__AVX512BW__)
    return sum + (IntVec)_mm512_madd_epi16((__m512i)x, (__m512i)w);
#elif defined(__AVX2__) && !defined(__AVX512F__)
    return sum + (IntVec)_mm256_madd_epi16((__m256i)x, (__m256i)w);
#elif defined(__SSE2__) && !defined(__AVX512F__)
    return sum + (IntVec)_mm_madd_epi16((__m128i)x, (__m128i)w);
#else
    return sum + (x << 16 >> 16) * (w << 16 >> 16) + (x >> 16) * (w >> 16);
#endif
}

// sum + the products of each lane's levels x with its weights w.
CRNN_INLINE IntVec dot(IntVec sum, IntVec x, IntVec w) {
#if defined(__AVX512VNNI__)
    return (IntVec)_mm512_dpbusd_epi32((__m512i)sum, (__m512i)x, (__m512i)w);
#elif defined(__AVXVNNI__) && !defined(__AVX512F__)
    return (IntVec)_mm256_dpbusd_avx_epi32((__m256i)sum, (__m256i)x, (__m256i)w);
#else
    return dot_words(sum, x, w);
#endif
}

// To the nearest integers, halves to even.
CRNN_INLINE IntVec nearest(Vec v) {
#if defined(__AVX512F__)
    return (IntVec)_mm512_cvtps_epi32((__m512)v);
#elif defined(__AVX2__)
    return (IntVec)_mm256_cvtps_epi32((__m256)v);
#elif defined(__SSE2__)
    return (IntVec)_mm_cvtps_epi32((__m128)v);
#else
    IntVec found;
    for (int l = 0; l < LANES; l++) found[l] = int32_t(std::nearbyint(v[l]));
    return found;
#endif
}

// A product that an addition follows, kept apart from it.
CRNN_INLINE Vec apart(Vec v) {
#if defined(__SSE2__)
    asm("" : "+v"(v));
#endif
    return v;
}

// How floats become levels, multiples of `step` from -`bound` to `bound`; with step 0 they stay floats.
struct Rounding {
    float step = 0, bound = 127;
    bool on() const { return step > 0; }
    float per_step() const { return 1 / step; }
};

// From floats that count in levels.
CRNN_INLINE LevelVec to_levels(Vec v, Vec low, Vec high) {
    return __builtin_convertvector(nearest(min(max(v, low), high)) + ZERO, LevelVec);
}

// V vectors of them, side by side; low and high are whole numbers.
template <int V>
CRNN_INLINE void store_levels(const Vec* v, float low, float high, Level* to) {
#if defined(__AVX512VNNI__)
    if constexpr (V == 4) {  // integers far out saturate on their way to bytes, those above 32 bits would turn over
        __m512i whole[V];
        for (int i = 0; i < V; i++) whole[i] = (__m512i)nearest(min(v[i], splat(high)));
        __m512i bytes =
            _mm512_packs_epi16(_mm512_packs_epi32(whole[0], whole[1]), _mm512_packs_epi32(whole[2], whole[3]));
        bytes = _mm512_add_epi8(_mm512_max_epi8(bytes, _mm512_set1_epi8(char(low))), _mm512_set1_epi8(char(ZERO)));
        const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
        _mm512_storeu_si512(to, _mm512_permutexvar_epi32(order, bytes));
        return;
    }
#endif
    for (int i = 0; i < V; i++) *(LevelVecUnaligned*)(to + i * LANES) = to_levels(v[i], splat(low), splat(high));
}

// Bytes or words as they lie in memory, a lane each.
CRNN_INLINE IntVec wide(const Level* levels) {
#if defined(__AVX512VNNI__)  // GCC 12 takes vectors of bytes apart
    return (IntVec)_mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i*)levels));
#else
    return __builtin_convertvector(*(const LevelVecUnaligned*)levels, IntVec);
#endif
}

// `count` floats as levels, no more of them.
static inline void round_row(const float* x, int64_t count, const Rounding& r, Level* to) {
    for (int64_t i = 0; i < count; i += LANES) {
        const LevelVec v = to_levels(load(x + i) * r.per_step(), splat(-r.bound), splat(r.bound));
        if (count - i >= LANES) *(LevelVecUnaligned*)(to + i) = v;
        else std::memcpy(to + i, &v, (count - i) * sizeof(Level));
    }
}

static inline Level* need_levels(Buffer& memory, size_t count) {
    return reinterpret_cast<Level*>(memory.need(count * sizeof(Level) / sizeof(float) + 1));
}

// Where a tile's rows come from: as `Source`, in levels; `depth` counts whole groups.
struct LevelSource {
    const Level* rows;
    int64_t row_stride;
    int depth;
    int runs = 1;
    int64_t run_stride = 0;
};

// Where sums go, `columns` of them in a row, and what is done to them on the way: scale, bias, addend, activation. To
// `levels` they are multiplied by `per_level` and cut off at `low` and `high`.
struct LevelTarget {
    void* rows;  // of Level or float
    int64_t row_stride;
    int columns;
    const float *scale, *bias;
    const float* addend = nullptr;
    Act act = Act::none;
    bool levels = false;
    float per_level = 1, low = 0, high = 0;

    // The same from so many values on in memory, and from a column on.
    LevelTarget from(int64_t values, int column = 0) const {
        LevelTarget moved = *this;
        moved.rows = static_cast<char*>(rows) + values * int64_t(levels ? sizeof(Level) : sizeof(float));
        if (addend) moved.addend = addend + values;
        moved.scale += column;
        moved.bias += column;
        moved.columns -= column;
        return moved;
    }
};

// Activations that are no matter of clipping, on sums [rows][vecs * LANES] that go out from value `at` on.
static __attribute__((noinline)) void finish_curved(const int32_t* sums, int rows, int vecs, const LevelTarget& out,
                                                    int64_t at) {
    for (int r = 0; r < rows; r++, at += out.row_stride)
        for (int v = 0; v < vecs; v++, sums += LANES) {
            const Vec sum = __builtin_convertvector(*(const IntVec*)sums, Vec);
            Vec value = apart(sum * load(out.scale + v * LANES)) + load(out.bias + v * LANES);
            if (out.addend) value += load(out.addend + at + v * LANES);
            value = activate_curved(value, out.act) * out.per_level;
            const int64_t to = at + v * LANES;
            if (out.levels) store_levels<1>(&value, out.low, out.high, static_cast<Level*>(out.rows) + to);
            else store_first(static_cast<float*>(out.rows) + to, value, out.columns - v * LANES);
        }
}

// Sums go out from value `at` on, while they are in registers.
template <int R, int V>
CRNN_INLINE void finish_tile(const IntVec (&sum)[R][V], const LevelTarget& out, int64_t at) {
    if (out.act != Act::none && out.act != Act::hardswish && !clips(out.act)) {
        alignas(64) int32_t sums[R * V * LANES];
#pragma GCC unroll 8
        for (int r = 0; r < R; r++)
#pragma GCC unroll 8
            for (int v = 0; v < V; v++) *(IntVec*)(sums + (r * V + v) * LANES) = sum[r][v];
        return finish_curved(sums, R, V, out, at);
    }
    const bool swish = out.act == Act::hardswish, clipped = clips(out.act), counts = out.per_level != 1;
    const float sixth = out.per_level / 6.f;
#pragma GCC unroll 8
    for (int r = 0; r < R; r++, at += out.row_stride) {
        Vec value[V];
#pragma GCC unroll 8
        for (int v = 0; v < V; v++) {
            Vec one = apart(__builtin_convertvector(sum[r][v], Vec) * load(out.scale + v * LANES)) +
                      load(out.bias + v * LANES);
            if (out.addend) one += load(out.addend + at + v * LANES);
            if (swish) one = one * min(max(one + 3.f, Vec{}), splat(6.f)) * sixth;
            else if (clipped) one = clip(one, out.act);
            if (counts && !swish) one = one * out.per_level;
            value[v] = one;
        }
        if (out.levels) {
            store_levels<V>(value, out.low, out.high, static_cast<Level*>(out.rows) + at);
            continue;
        }
        float* to = static_cast<float*>(out.rows) + at;
        const bool whole = out.columns >= V * LANES;
#pragma GCC unroll 8
        for (int v = 0; v < V; v++)
            if (whole) store(to + v * LANES, value[v]);
            else store_first(to + v * LANES, value[v], out.columns - v * LANES);
    }
}

template <int R, int V>
static __attribute__((noinline)) void int8_tile(const Level* rows, const LevelSource& in, const LevelWeight* weights,
                                                const int32_t* begin, const LevelTarget& out, int64_t at) {
    IntVec sum[R][V];
#pragma GCC unroll 8
    for (int r = 0; r < R; r++)
#pragma GCC unroll 8
        for (int v = 0; v < V; v++) sum[r][v] = *(const IntVec*)(begin + v * LANES);
    const int64_t stride = in.row_stride;
    for (int u = 0; u < in.runs; u++) {
        const Level* a = rows + u * in.run_stride;
        for (int k = 0; k < in.depth; k++, a += GROUP, weights += V * LANES * GROUP) {
            IntVec w[V];
#pragma GCC unroll 8
            for (int v = 0; v < V; v++) w[v] = *(const IntVec*)(weights + v * LANES * GROUP);
#pragma GCC unroll 8
            for (int r = 0; r < R; r++) {
                int32_t group;
                std::memcpy(&group, a + r * stride, sizeof(group));
                const IntVec x = IntVec{} + group;
#pragma GCC unroll 8
                for (int v = 0; v < V; v++) sum[r][v] = dot(sum[r][v], x, w[v]);
            }
        }
    }
    finish_tile<R, V>(sum, out, at);
}

using Int8Tile = void (*)(const Level*, const LevelSource&, const LevelWeight*, const int32_t*, const LevelTarget&,
                          int64_t);

template <int V>
static Int8Tile int8_tile_of(int rows) {
    static const Int8Tile table[TILE_ROWS] = {int8_tile<1, V>, int8_tile<2, V>, int8_tile<3, V>,
                                              int8_tile<4, V>, int8_tile<5, V>, int8_tile<6, V>};
    return table[rows - 1];
}

static inline Int8Tile find_int8_tile(int rows, int vecs) {
    switch (vecs) {
        case 1: return int8_tile_of<1>(rows);
        case 2: return int8_tile_of<2>(rows);
#if defined(__AVX512F__)
        case 3: return int8_tile_of<3>(rows);
        case 4: return int8_tile_of<4>(rows);
#endif
    }
    return nullptr;
}

// `count` rows times one panel, in tiles of nearly equal height; sums begin at `begin` (vecs * LANES).
static inline void int8_product(int count, const LevelSource& in, const LevelWeight* weights, int vecs,
                                const int32_t* begin, const LevelTarget& out) {
    const int tiles = (count + TILE_ROWS - 1) / TILE_ROWS;
    for (int i = 0, row = 0; i < tiles; i++) {
        const int next = int(int64_t(count) * (i + 1) / tiles);
        find_int8_tile(next - row, vecs)(in.rows + row * in.row_stride, in, weights, begin, out, row * out.row_stride);
        row = next;
    }
}

// Weights of `runs` stretches of `run` steps each, in panels of PANEL columns: [panel][run][group][column][GROUP]. A
// stretch is filled up to whole groups with zeros.
class LevelWeights {
  public:
    // weight(o, u, k): of output o, the k-th of stretch u, whole numbers; scale and bias (columns,).
    template <class Weight>
    void pack(int columns, int runs, int run, const Weight& weight, const float* scale, const float* bias) {
        columns_ = columns;
        runs_ = runs;
        groups_ = (run + GROUP - 1) / GROUP;
        panels_ = Panels(columns);
        if (int64_t(runs) * groups_ * GROUP > MOST_DEPTH) throw std::invalid_argument("a sum of too many products");
        const size_t width = panels_.columns();
        auto* to = reinterpret_cast<LevelWeight*>(weights_.need(width * runs * groups_));
        auto* off = reinterpret_cast<int32_t*>(corrections_.need(width * runs));
        for (int p = 0; p < panels_.count; p++)
            for (int u = 0; u < runs; u++) pack_run(p, u, run, weight, to, off);
        float *s = scale_.need(width), *b = bias_.need(width);
        std::fill(s, s + width, 0.f);
        std::fill(b, b + width, 0.f);
        std::copy(scale, scale + columns, s);
        std::copy(bias, bias + columns, b);
    }
    bool empty() const { return !runs_; }
    const Panels& panels() const { return panels_; }
    int columns() const { return columns_; }
    int depth() const { return groups_; }
    const float* scale(int p) const { return scale_.get() + p * PANEL; }
    const float* bias(int p) const { return bias_.get() + p * PANEL; }
    const LevelWeight* panel(int p, int run = 0) const {
        const size_t each = size_t(groups_) * GROUP;
        return reinterpret_cast<const LevelWeight*>(weights_.get()) + p * PANEL * runs_ * each +
               run * panels_.vecs_of(p) * LANES * each;
    }
    // What the sums of stretches first..last begin with, for that ZERO is not 0.
    void begin(int p, int first, int last, int32_t* to) const {
        const int width = panels_.vecs_of(p) * LANES;
        const auto* off = reinterpret_cast<const int32_t*>(corrections_.get()) + size_t(p) * PANEL * runs_;
        std::fill(to, to + width, 0);
        for (int u = first; u < last; u++)
            for (int j = 0; j < width; j++) to[j] += off[u * width + j];
    }

  private:
    int columns_ = 0, runs_ = 0, groups_ = 0;
    Panels panels_;
    Buffer weights_, corrections_, scale_, bias_;

    template <class Weight>
    void pack_run(int p, int u, int run, const Weight& weight, LevelWeight* to, int32_t* off) const {
        const int width = panels_.vecs_of(p) * LANES;
        to += panel(p, u) - panel(0);
        off += size_t(p) * PANEL * runs_ + size_t(u) * width;
        std::fill(off, off + width, 0);
        for (int k = 0; k < groups_ * GROUP; k++)
            for (int j = 0; j < width; j++) {
                const int o = p * PANEL + j;
                const int w = o < columns_ && k < run ? int(weight(o, u, k)) : 0;
                to[(size_t(k / GROUP) * width + j) * GROUP + k % GROUP] = LevelWeight(w);
                off[j] -= ZERO * w;
            }
    }
};

}  // namespace crnn
