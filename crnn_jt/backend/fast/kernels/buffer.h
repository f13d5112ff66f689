// Memory for weights and scratch: aligned, grown when needed, freed with its owner; and threads.
#pragma once
#include <omp.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

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

// Scratch for one run after another: what a run takes it gives back all at once.
//
// Networks of a process share arenas, so that the detector's maps and the recogniser's lie in the same memory. A run
// that takes more than is usual leaves none of it behind.
class Arena {
  public:
    struct Mark {
        size_t block = 0, used = 0;
    };

    // At least `count` floats, until it goes back to a mark from before.
    float* take(size_t count) {
        const size_t wanted = (count + PAST + LINE - 1) / LINE * LINE;
        if (!at_.block && !at_.used && !blocks_.empty() && blocks_[0].size < wanted) blocks_.clear();
        while (at_.block < blocks_.size() && blocks_[at_.block].size - at_.used < wanted) at_ = {at_.block + 1, 0};
        if (at_.block == blocks_.size()) blocks_.emplace_back(blocks_.empty() ? std::max(wanted, usual_) : wanted);
        float* found = blocks_[at_.block].memory->get() + at_.used;
        at_.used += wanted;
        size_t before = 0;
        for (size_t i = 0; i < at_.block; i++) before += blocks_[i].size;
        most_ = std::max(most_, before + at_.used);
        return found;
    }
    Mark mark() const { return at_; }
    void back_to(Mark mark) { at_ = mark; }

    // At the end of a run. Several blocks become one when the next run begins.
    void give_back() {
        if (blocks_.size() > 1 || most_ > KEPT) blocks_.clear();
        usual_ = std::min(most_, KEPT);
        most_ = 0;
        at_ = {};
    }

  private:
    static constexpr size_t LINE = 16, PAST = 16;     // floats; a vector may read past the end
    static constexpr size_t KEPT = size_t(28) << 20;  // floats that stay: 112 MB, enough for 1280x1280 pixels

    struct Block {
        explicit Block(size_t floats) : memory(new Buffer), size(floats) { memory->need(floats); }
        std::unique_ptr<Buffer> memory;
        size_t size;
    };
    std::vector<Block> blocks_;
    Mark at_;
    size_t most_ = 0, usual_ = 0;  // floats taken by this run, and by one before
};

// The arena of one run, which others have before and after it. Runs of two networks at a time have one each.
class Lease {
  public:
    Lease() {
        const std::lock_guard<std::mutex> alone(pool().mutex);
        if (pool().idle.empty()) pool().idle.emplace_back(new Arena);
        arena_ = std::move(pool().idle.back());
        pool().idle.pop_back();
    }
    ~Lease() {
        arena_->give_back();
        const std::lock_guard<std::mutex> alone(pool().mutex);
        pool().idle.push_back(std::move(arena_));
    }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    Arena& arena() const { return *arena_; }

  private:
    struct Pool {
        std::mutex mutex;
        std::vector<std::unique_ptr<Arena>> idle;
    };
    static Pool& pool() {
        static Pool all;
        return all;
    }
    std::unique_ptr<Arena> arena_;
};

inline int threads() { return omp_get_max_threads(); }

}  // namespace crnn
