#include "row_source.hpp"

#include <algorithm>
#include <cstring>

namespace lookalike::engine {
namespace {

using kernels::ElementType;

constexpr std::size_t kBlockBytes = 64 << 10;
constexpr std::size_t kBlockStep = 32;  // a multiple of every level's panel

std::size_t bytes_of(ElementType type) noexcept {
    switch (type) {
        case ElementType::kInt8:
        case ElementType::kUInt8:
            return 1;
        case ElementType::kFloat16:
        case ElementType::kInt16:
        case ElementType::kUInt16:
            return 2;
        case ElementType::kFloat32:
        case ElementType::kInt32:
        case ElementType::kUInt32:
            return 4;
        default:
            return 8;
    }
}

// Brings strided elements together; the converters read contiguous ones.
void gather(const std::byte* source, std::ptrdiff_t stride, std::size_t count,
            std::size_t element_bytes, std::byte* target) noexcept {
    for (std::size_t i = 0; i < count; ++i) {
        std::memcpy(target + i * element_bytes, source + static_cast<std::ptrdiff_t>(i) * stride,
                    element_bytes);
    }
}

}  // namespace

RowSource::RowSource(const void* data, ElementType type, std::size_t count, std::size_t dim,
                     std::ptrdiff_t row_stride_bytes, std::ptrdiff_t element_stride_bytes) noexcept
    : data_(static_cast<const std::byte*>(data)),
      type_(type),
      count_(count),
      dim_(dim),
      row_stride_(row_stride_bytes),
      element_stride_(element_stride_bytes),
      element_bytes_(bytes_of(type)) {}

bool RowSource::is_dense() const noexcept {
    return dim_ == 1 || element_stride_ == static_cast<std::ptrdiff_t>(element_bytes_);
}

bool RowSource::is_in_place() const noexcept {
    return is_dense() && type_ == ElementType::kFloat32;
}

std::size_t RowSource::block_rows() const noexcept {
    const std::size_t fitting = kBlockBytes / (dim_ * sizeof(float));
    return std::clamp<std::size_t>(fitting / kBlockStep * kBlockStep, kBlockStep, 4096);
}

Block RowSource::block(const kernels::KernelTable& table, std::size_t first, std::size_t count,
                       std::vector<float>& buffer) const {
    const std::byte* start = data_ + static_cast<std::ptrdiff_t>(first) * row_stride_;
    if (is_in_place()) {
        return {reinterpret_cast<const float*>(start),
                row_stride_ / static_cast<std::ptrdiff_t>(sizeof(float))};
    }
    buffer.resize(count * dim_);
    const kernels::Convert convert = table.convert[static_cast<int>(type_)];
    std::vector<std::byte> gathered(is_dense() ? 0 : dim_ * element_bytes_);
    for (std::size_t r = 0; r < count; ++r) {
        const std::byte* row = start + static_cast<std::ptrdiff_t>(r) * row_stride_;
        if (!is_dense()) {
            gather(row, element_stride_, dim_, element_bytes_, gathered.data());
            row = gathered.data();
        }
        convert(row, dim_, buffer.data() + r * dim_);
    }
    return {buffer.data(), static_cast<std::ptrdiff_t>(dim_)};
}

}  // namespace lookalike::engine
