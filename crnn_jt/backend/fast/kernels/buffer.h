// Memory for weights and scratch: aligned, grown when needed, freed with its owner; and threads.
#pragma once
#include <omp.h>
#include <sys/mman.h>

#include <cstddef>
#include <cstdlib>
#include <new>

namespace crnn {

class Buffer {
  public:
    Buffer() = default;
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer() { std::free(data_); }

    // At least `count` floats; what was there before is lost when it has to grow. Large blocks ask for huge pages:
    // the kernels walk many streams at once, and with 4 KB pages the page tables become the bottleneck.
    float* need(size_t count) {
        if (count > count_) {
            std::free(data_);
            const size_t huge = size_t(1) << 21, bytes = count * sizeof(float);
            const size_t align = bytes > huge ? huge : 64;
            const size_t size = (bytes + 64 + align - 1) / align * align;  // a vector may read past the end
            data_ = static_cast<float*>(std::aligned_alloc(align, size));
            count_ = data_ ? count : 0;
            if (!data_) throw std::bad_alloc();
            if (align == huge) madvise(data_, size, MADV_HUGEPAGE);
        }
        return data_;
    }
    float* get() const { return data_; }

  private:
    float* data_ = nullptr;
    size_t count_ = 0;
};

inline int threads() { return omp_get_max_threads(); }

}  // namespace crnn
