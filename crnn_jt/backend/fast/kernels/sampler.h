// Pictures read at places that are no pixels: bilinear, -1 and 1 the centres of the outermost pixels, zero beyond
// them (Jaderberg et al., "Spatial transformer networks", 2015).
#pragma once
#include <cmath>
#include <vector>

#include "conv.h"

namespace crnn {

class Sampler {
  public:
    // places (h * w, 2) of (across, down) for each pixel of the result, row by row; spline (h * w, points) says how
    // much of each point's own way is added to them.
    void pack(int h, int w, int points, bool clipped, const float* places, const float* spline) {
        clipped_ = clipped;
        points_ = points;
        count_ = round_up(h * w, LANES);
        rows_.assign(size_t(count_) * (2 + points), 0.f);  // [across, down, then each point][place]
        for (int m = 0; m < h * w; m++) {
            for (int axis = 0; axis < 2; axis++) rows_[size_t(axis) * count_ + m] = places[2 * m + axis];
            for (int k = 0; k < points; k++) rows_[size_t(2 + k) * count_ + m] = spline[size_t(m) * points + k];
        }
    }

    // `ways`: one pixel an image, (across, down) of each point; null without points.
    void run(const Images& x, const Images* ways, const Images& y) const {
        const int pixels = y.h * y.w;
#pragma omp parallel for collapse(2) schedule(static)
        for (int n = 0; n < y.n; n++)
            for (int first = 0; first < pixels; first += LANES) {
                Vec across = load(&rows_[first]), down = load(&rows_[count_ + first]);
                const float* way = ways ? ways->pixel(n, 0, 0) : nullptr;
                for (int k = 0; k < points_; k++, way += 2) {
                    const Vec share = load(&rows_[size_t(2 + k) * count_ + first]);
                    across += share * way[0];
                    down += share * way[1];
                }
                if (clipped_) {
                    across = min(max(across, splat(-1.f)), splat(1.f));
                    down = min(max(down, splat(-1.f)), splat(1.f));
                }
                across = (across + 1.f) * (.5f * (x.w - 1));
                down = (down + 1.f) * (.5f * (x.h - 1));
                for (int l = 0; l < std::min(LANES, pixels - first); l++)
                    read(x, n, across[l], down[l], y.pixel(n, 0, first + l), y.stride);
            }
    }

  private:
    int points_ = 0, count_ = 0;
    bool clipped_ = false;
    std::vector<float> rows_;

    static void read(const Images& x, int n, float across, float down, float* to, int stride) {
        // a place far outside, or none at all, is beyond every pixel
        const float left = std::floor(across >= -1.f && across <= x.w ? across : -2.f);
        const float top = std::floor(down >= -1.f && down <= x.h ? down : -2.f);
        const float right = across - left, below = down - top;  // the shares of those pixels
        std::fill(to, to + stride, 0.f);
        for (int a = 0; a < 2; a++)
            for (int b = 0; b < 2; b++) {
                const int i = int(top) + a, j = int(left) + b;
                if (i < 0 || j < 0 || i >= x.h || j >= x.w) continue;
                const float share = (a ? below : 1.f - below) * (b ? right : 1.f - right);
                const float* from = x.pixel(n, i, j);
                for (int c = 0; c < x.channels; c++) to[c] += share * from[c];
            }
    }
};

}  // namespace crnn
