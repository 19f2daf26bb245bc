// The rows of a group wherever and however they lie: any element type, any strides.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "../kernels/kernel_table.hpp"

namespace lookalike::engine {

struct Block {
    const float* rows;
    std::ptrdiff_t stride;  // in floats
};

class RowSource {
 public:
    RowSource(const void* data, kernels::ElementType type, std::size_t count, std::size_t dim,
              std::ptrdiff_t row_stride_bytes, std::ptrdiff_t element_stride_bytes) noexcept;

    std::size_t count() const noexcept { return count_; }
    std::size_t dim() const noexcept { return dim_; }

    // Bytes of a row's elements, as they are stored.
    std::size_t row_bytes() const noexcept { return dim_ * element_bytes_; }

    // Asks the memory for the start of a row; the hardware then follows.
    void prefetch(std::size_t row) const noexcept {
        const std::byte* start = data_ + static_cast<std::ptrdiff_t>(row) * row_stride_;
        const std::size_t lines = std::min(kPrefetchedLines, (row_bytes() + 63) / 64);
        for (std::size_t i = 0; i < lines; ++i) __builtin_prefetch(start + 64 * i);
    }

    // Are blocks views of the group itself, not converted copies?
    bool is_in_place() const noexcept;

    // How many rows a block should have: about 64 KiB of float32, so that a converted block
    // and what is done with it stay in the second-level cache.
    std::size_t block_rows() const noexcept;

    // Rows [first, first + count) as float32: in place where they are contiguous float32,
    // else converted into `buffer`.
    Block block(const kernels::KernelTable& table, std::size_t first, std::size_t count,
                std::vector<float>& buffer) const;

 private:
    static constexpr std::size_t kPrefetchedLines = 16;

    bool is_dense() const noexcept;  // the elements of a row lie side by side

    const std::byte* data_;
    kernels::ElementType type_;
    std::size_t count_, dim_;
    std::ptrdiff_t row_stride_, element_stride_;
    std::size_t element_bytes_;
};

}  // namespace lookalike::engine
