// The first bad row that any thread met.
#pragma once

#include <atomic>
#include <cstddef>

#include "scan.hpp"

namespace lookalike::engine {

class FirstBadRow {
 public:
    std::size_t row() const noexcept { return row_.load(std::memory_order_relaxed); }

    // Work on rows after a bad one is in vain; work before it may find an earlier one.
    bool is_before(std::size_t row) const noexcept { return this->row() < row; }

    void report(std::size_t row) noexcept {
        std::size_t known = this->row();
        while (row < known && !row_.compare_exchange_weak(known, row)) {
        }
    }

 private:
    std::atomic<std::size_t> row_{kNoRow};
};

}  // namespace lookalike::engine
