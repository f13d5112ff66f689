// Regions cut out of a map: bilinear, 0 the centre of the first pixel, zero beyond the outermost ones.
#pragma once
#include <cmath>
#include <vector>

#include "buffer.h"

namespace crnn {

// A map (h, w, stride), of whose floats a pixel the first are its channels, and `regions` of `area` places each.
struct RegionShape {
    int channels, stride, h, w, regions, area;
};

// What stands at a place (across, down) of the map's pixels, channel by channel.
inline void read_place(const RegionShape& s, const float* map, float across, float down, float* to) {
    // a place far outside, or none at all, is beyond every pixel
    const float left = std::floor(across >= -1.f && across <= s.w ? across : -2.f);
    const float top = std::floor(down >= -1.f && down <= s.h ? down : -2.f);
    const float right = across - left, below = down - top;  // the shares of those pixels
    std::fill(to, to + s.channels, 0.f);
    for (int a = 0; a < 2; a++)
        for (int b = 0; b < 2; b++) {
            const int i = int(top) + a, j = int(left) + b;
            if (i < 0 || j < 0 || i >= s.h || j >= s.w) continue;
            const float share = (a ? below : 1.f - below) * (b ? right : 1.f - right);
            const float* from = map + (size_t(i) * s.w + j) * s.stride;
            for (int c = 0; c < s.channels; c++) to[c] += share * from[c];
        }
}

// places (regions, area, 2) -> out (regions, channels, area). Each place by itself: the same bits beside any others,
// for any number of threads.
inline void cut_regions(const RegionShape& s, const float* map, const float* places, float* out) {
#pragma omp parallel
    {
        std::vector<float> pixel(s.channels);
#pragma omp for schedule(static)
        for (int r = 0; r < s.regions; r++) {
            const float* place = places + size_t(r) * s.area * 2;
            float* region = out + size_t(r) * s.channels * s.area;
            for (int m = 0; m < s.area; m++, place += 2) {
                read_place(s, map, place[0], place[1], pixel.data());
                for (int c = 0; c < s.channels; c++) region[size_t(c) * s.area + m] = pixel[c];
            }
        }
    }
}

}  // namespace crnn
