// The transforms of Winograd's convolution, and the tiles that an image is cut into.
//
// A tile is 4 pixels high and 4 or 5 wide. One dimension is interpolation (Toom-Cook): the polynomials of the pixels
// and of the kernel are evaluated at as many points as there are pixels plus two, multiplied there, and read back. The
// points are 0, 1, -1, 1/2, -2 and infinity, for five pixels also 2: rounding is a third of what it is with the usual
// 0, +-1, +-2 (Barabasz et al., "Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural
// Networks", 2020). A kernel's value at a point is the same for tiles of either width: one set of transformed kernels
// serves both.
#pragma once
#include "conv.h"

namespace crnn {

constexpr int DOWN = 6;          // points of the four rows
constexpr int PLACES = 36;       // of a tile 4 wide: place 6 * (point of the columns) + (point of the rows)
constexpr int WIDE_PLACES = 42;  // of a tile 5 wide; the first 36 are the same points

// One dimension of B^T d: the six pixels under four outputs at the points, in place.
CRNN_INLINE void pixels_to_points4(Vec* d) {
    const Vec d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3], d4 = d[4], d5 = d[5];
    const Vec even = d4 - d2, odd = d3 - d1, near = d4 - d1, far = d4 + d1;
    d[0] = (d0 + d4) + 1.5f * odd - 2.f * d2;
    d[1] = near + 2.5f * d3 + .5f * d2;
    d[2] = far + .5f * d3 - 2.5f * d2;
    d[3] = even + 2.f * odd;
    d[4] = even - .5f * odd;
    d[5] = (d1 + d5) + 1.5f * even - 2.f * d3;
}

// Seven pixels under five outputs, at seven points. All that tiles five wide do otherwise is on this side of the
// product.
CRNN_INLINE void pixels_to_points5(Vec* d) {
    const Vec d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3], d4 = d[4], d5 = d[5], d6 = d[6];
    const Vec one = (d4 - .5f * d3) - 4.f * d2 + 2.f * d1, one_up = (d5 - .5f * d4) - 4.f * d3 + 2.f * d2;
    const Vec two = (d4 - d2) - .5f * (d3 - d1), two_up = (d5 - d3) - .5f * (d4 - d2);
    d[0] = (d0 - 2.f * d1) - 1.25f * d2 + 2.5f * d3 + .25f * d4 - .5f * d5;
    d[1] = -(one_up + one);
    d[2] = (one - one_up) * (1.f / 3);
    d[3] = (10.f / 3) * d3 - (2.f / 3) * d5 - (8.f / 3) * d1;
    d[4] = .5f * two - .25f * two_up;
    d[5] = (d6 - .5f * d5) - 5.f * d4 + 2.5f * d3 + 4.f * d2 - 2.f * d1;
    d[6] = two_up + 2.f * two;
}

// One dimension of A^T m: sums at the points -> outputs, `t` apart.
CRNN_INLINE void points_to_outputs4(const Vec* m, Vec* y, int t) {
    const Vec even = m[1] + m[2], odd = m[1] - m[2];
    y[0] = m[0] + even + m[3] + m[4];
    y[t] = odd + .5f * m[3] - 2.f * m[4];
    y[2 * t] = even + .25f * m[3] + 4.f * m[4];
    y[3 * t] = odd + .125f * m[3] - 8.f * m[4] + m[5];
}

CRNN_INLINE void points_to_outputs5(const Vec* m, Vec* y, int t) {
    const Vec even = m[1] + m[2], odd = m[1] - m[2], even2 = m[6] + m[4], odd2 = m[6] - m[4];
    y[0] = m[0] + even + m[3] + even2;
    y[t] = odd + .5f * m[3] + 2.f * odd2;
    y[2 * t] = even + .25f * m[3] + 4.f * even2;
    y[3 * t] = odd + .125f * m[3] + 8.f * odd2;
    y[4 * t] = even + .0625f * m[3] + 16.f * even2 + m[5];
}

// One dimension of G g: a kernel's three values at all seven points.
CRNN_INLINE void kernel_to_points(Vec g0, Vec g1, Vec g2, Vec u[7]) {
    const Vec ends = (g0 + g2) * (1.f / 3), middle = g1 * (1.f / 3), twice = g0 + 4.f * g2;
    u[0] = g0;
    u[1] = ends + middle;
    u[2] = middle - ends;
    u[3] = (g0 * 16.f + g1 * 8.f + g2 * 4.f) * (-1.f / 15);
    u[4] = (twice - 2.f * g1) * (1.f / 15);
    u[5] = g2;
    u[6] = (twice + 2.f * g1) * (1.f / 36);
}

// U = G g G^T of `channels` rows of 3x3 kernels, [channel][vector][9][LANES] -> [place][channel][width], places
// `place_stride` apart. Never inlined, so that the same kernels give the same bits wherever they are transformed.
static __attribute__((noinline)) void kernels_to_places(const float* kernels, int channels, int width, int places,
                                                        float* to, int64_t place_stride) {
    constexpr int AHEAD = 4 * 9 * LANES;  // floats fetched from memory in advance
    for (int i = 0; i < channels * width; i += LANES, kernels += 9 * LANES) {
        for (int k = 0; k < 9 * LANES; k += LINE) __builtin_prefetch(kernels + AHEAD + k);
        Vec rows[3][7];
        for (int r = 0; r < 3; r++) {
            const float* g = kernels + r * 3 * LANES;
            kernel_to_points(load(g), load(g + LANES), load(g + 2 * LANES), rows[r]);
        }
#pragma GCC unroll 7
        for (int s = 0; s < 7; s++) {
            if (s * DOWN >= places) break;
            Vec column[7];
            kernel_to_points(rows[0][s], rows[1][s], rows[2][s], column);
            for (int r = 0; r < DOWN; r++) store(to + i + (s * DOWN + r) * place_stride, column[r]);
        }
    }
}

// Where a tile lies, and how wide it is.
struct Spot {
    int image, top, left, width;
};

// The tiles of a batch, those five wide first; the last of a row or column may stick out.
struct Tiling {
    int n, down, across, wide;  // of `across` tiles in a row the first `wide` are five wide
    Tiling(int n, int h, int w, int widest) : n(n), down((h + 3) / 4), across((w + widest - 1) / widest) {
        wide = widest == 4 ? 0 : std::clamp(w - 4 * across, 0, across);
    }
    int count() const { return n * down * across; }
    int wide_count() const { return n * down * wide; }
    int places() const { return wide ? WIDE_PLACES : PLACES; }
    int64_t products() const { return int64_t(PLACES) * count() + (WIDE_PLACES - PLACES) * wide_count(); }
    Spot spot(int tile) const {
        const bool five = tile < wide_count();
        const int columns = five ? wide : across - wide, index = five ? tile : tile - wide_count();
        const int column = index % columns, left = five ? column * 5 : wide * 5 + column * 4;
        return {index / (down * columns), index / columns % down * 4, left, five ? 5 : 4};
    }
};

template <int WIDTH>
CRNN_INLINE void patch_to_places(const Images& x, const Spot& spot, int first, int last, const float* zeros, float* to,
                                 int64_t place_stride) {
    constexpr int ACROSS = WIDTH + 2;
    const float* pixel[DOWN][ACROSS];
    for (int r = 0; r < DOWN; r++)
        for (int s = 0; s < ACROSS; s++) {
            const int i = spot.top - 1 + r, j = spot.left - 1 + s;
            const bool inside = i >= 0 && j >= 0 && i < x.h && j < x.w;
            pixel[r][s] = inside ? x.pixel(spot.image, i, j) : zeros;
        }
    for (int c = first; c < last; c += LANES) {
        for (int k = 0; k < DOWN * ACROSS; k++)
            __builtin_prefetch(to + c + 2 * LANES + k * place_stride, 1);  // to write
        Vec e[DOWN][ACROSS];
#pragma GCC unroll 7
        for (int s = 0; s < ACROSS; s++) {
            Vec column[DOWN];
            for (int r = 0; r < DOWN; r++) column[r] = load(pixel[r][s] + c);
            pixels_to_points4(column);
            for (int r = 0; r < DOWN; r++) e[r][s] = column[r];
        }
#pragma GCC unroll 6
        for (int r = 0; r < DOWN; r++) {
            if (WIDTH == 5) pixels_to_points5(e[r]);
            else pixels_to_points4(e[r]);
            for (int s = 0; s < ACROSS; s++) store(to + c + (s * DOWN + r) * place_stride, e[r][s]);
        }
    }
}

// V of one tile for channels [first, last): places `place_stride` floats apart. Pixels outside the image are `zeros`.
static __attribute__((noinline)) void tile_to_places(const Images& x, const Spot& spot, int first, int last,
                                                     const float* zeros, float* to, int64_t place_stride) {
    if (spot.width == 5) patch_to_places<5>(x, spot, first, last, zeros, to, place_stride);
    else patch_to_places<4>(x, spot, first, last, zeros, to, place_stride);
}

// Where the pixels of tiles go, and what is done to them on the way.
struct Output {
    Images y;
    Fused fused;
    const float* bias;  // of all channels
};

// Sums at the places of one tile, LANES channels from `channel` on -> pixels, fewer after pooling or at the border.
template <int WIDTH, int POOL_H, int POOL_W>
CRNN_INLINE void places_to_pixels(const float* m, int64_t place_stride, const Spot& spot, int channel,
                                  const Output& out) {
    constexpr int ACROSS = WIDTH + 2;
    const Vec bias = load(out.bias + channel);
    const int top = spot.top / POOL_H, left = spot.left / POOL_W;
    const int rows = out.y.h - top, columns = out.y.w - left;
    for (int r = 0; r < 4 / POOL_H && r < rows; r++)
        for (int s = 0; s < WIDTH / POOL_W && s < columns; s++)
            __builtin_prefetch(out.y.pixel(spot.image, top + r, left + s) + channel, 1);
    Vec half[4][ACROSS], pixels[4][WIDTH];
    for (int s = 0; s < ACROSS; s++) {
        Vec column[DOWN];
        for (int r = 0; r < DOWN; r++) column[r] = load(m + (s * DOWN + r) * place_stride);
        points_to_outputs4(column, half[0] + s, ACROSS);
    }
    for (int r = 0; r < 4; r++) {
        if (WIDTH == 5) points_to_outputs5(half[r], pixels[r], 1);
        else points_to_outputs4(half[r], pixels[r], 1);
    }
    for (int r = 0; r < 4 / POOL_H && r < rows; r++) {
        float* to = out.y.pixel(spot.image, top + r, left) + channel;
        for (int s = 0; s < WIDTH / POOL_W && s < columns; s++, to += out.y.stride) {
            Vec value = pixels[r * POOL_H][s * POOL_W];
            for (int a = 0; a < POOL_H; a++)
                for (int b = 0; b < POOL_W; b++) value = max(value, pixels[r * POOL_H + a][s * POOL_W + b]);
            value += bias;
            if (out.fused.addend) value += load(out.fused.addend + (to - out.y.data));
            store(to, activate(value, out.fused.act));
        }
    }
}

// One tile, `channels` of them from `channel` on. Tiles five wide are not pooled sideways.
static __attribute__((noinline)) void places_to_tile(const float* m, int64_t place_stride, const Spot& spot,
                                                     int channel, int channels, const Output& out) {
    for (int last = channel + channels; channel < last; channel += LANES, m += LANES) {
        const int pool_h = out.fused.pool_h, pool_w = out.fused.pool_w;
        if (spot.width == 5 && pool_h == 1) places_to_pixels<5, 1, 1>(m, place_stride, spot, channel, out);
        else if (spot.width == 5) places_to_pixels<5, 2, 1>(m, place_stride, spot, channel, out);
        else if (pool_h == 1 && pool_w == 1) places_to_pixels<4, 1, 1>(m, place_stride, spot, channel, out);
        else if (pool_w == 1) places_to_pixels<4, 2, 1>(m, place_stride, spot, channel, out);
        else if (pool_h == 1) places_to_pixels<4, 1, 2>(m, place_stride, spot, channel, out);
        else places_to_pixels<4, 2, 2>(m, place_stride, spot, channel, out);
    }
}

}  // namespace crnn
