// Regions cut out of a map: bilinear, 0 the centre of the first pixel, zero beyond the outermost ones.
#pragma once
#include <cmath>
#include <vector>

#include "buffer.h"

namespace crnn {

// A map (channels, h, w) as the network that makes it gives it, and `regions` of `area` places each.
struct RegionShape {
    int channels, h, w, regions, area;
};

// The four pixels around each place of a region, and their shares; those beyond the map are its first with a share of
// nothing.
class Corners {
  public:
    explicit Corners(int area) : area_(area), pixels_(4 * area), shares_(4 * area) {}

    // places (area, 2) of (across, down) in the map's pixels.
    void find(const float* places, int h, int w) {
        for (int m = 0; m < area_; m++) {
            const float across = places[2 * m], down = places[2 * m + 1];
            // a place far outside, or none at all, is beyond every pixel
            const float left = std::floor(across >= -1.f && across <= w ? across : -2.f);
            const float top = std::floor(down >= -1.f && down <= h ? down : -2.f);
            const float right = across - left, below = down - top;
            for (int k = 0; k < 4; k++) {
                const int i = int(top) + k / 2, j = int(left) + k % 2;
                const bool inside = i >= 0 && j >= 0 && i < h && j < w;
                pixels_[k * area_ + m] = inside ? i * w + j : 0;
                shares_[k * area_ + m] = inside ? (k / 2 ? below : 1.f - below) * (k % 2 ? right : 1.f - right) : 0.f;
            }
        }
    }

    // One channel's plane (h, w) -> what stands at the places.
    void read(const float* plane, float* to) const {
        const int *a = pixels_.data(), *b = a + area_, *c = b + area_, *d = c + area_;
        const float *p = shares_.data(), *q = p + area_, *r = q + area_, *s = r + area_;
        for (int m = 0; m < area_; m++)
            to[m] = (p[m] * plane[a[m]] + q[m] * plane[b[m]]) + (r[m] * plane[c[m]] + s[m] * plane[d[m]]);
    }

  private:
    int area_;
    std::vector<int> pixels_;
    std::vector<float> shares_;
};

// places (regions, area, 2) -> out (regions, channels, area). Each region is one thread's: the same bits beside any
// others, for any number of threads.
inline void cut_regions(const RegionShape& s, const float* map, const float* places, float* out) {
    const size_t plane = size_t(s.h) * s.w, region = size_t(s.channels) * s.area;
#pragma omp parallel
    {
        Corners corners(s.area);
#pragma omp for schedule(static)
        for (int r = 0; r < s.regions; r++) {
            corners.find(places + size_t(r) * s.area * 2, s.h, s.w);
            for (int c = 0; c < s.channels; c++) corners.read(map + c * plane, out + r * region + size_t(c) * s.area);
        }
    }
}

}  // namespace crnn
