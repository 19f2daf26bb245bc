// What a kernel level offers: plain data only. No inline functions, no templates and no
// STL, so that an object compiled for AVX-512 can never leak code into the others.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lookalike::kernels {

// CPU features that a level may require; see features.cpp for how each is detected.
constexpr std::uint64_t kAvx2 = 1u << 0;
constexpr std::uint64_t kFma = 1u << 1;
constexpr std::uint64_t kF16c = 1u << 2;
constexpr std::uint64_t kAvx512f = 1u << 3;
constexpr std::uint64_t kAvx512bw = 1u << 4;
constexpr std::uint64_t kAvx512vl = 1u << 5;
constexpr std::uint64_t kAvx512dq = 1u << 6;

// Element types of a group that the converters read. The values are part of no file.
enum class ElementType : int {
    kFloat16,
    kFloat32,
    kFloat64,
    kInt8,
    kInt16,
    kInt32,
    kInt64,
    kUInt8,
    kUInt16,
    kUInt32,
    kUInt64,
    kCount
};

// Raw sums over 32 virtual lanes (index mod 32), multiply then add, one reduction tree:
// the same bits on every level. `second` receives x.x where the metric needs it (cosine)
// and is otherwise not touched.
using ScanF32 = void (*)(const float* query, const float* rows, std::size_t count, std::size_t dim,
                         std::ptrdiff_t row_stride, float* first, float* second) noexcept;

// The same sums in double, for rows whose float32 sums overflow or underflow.
using ScanF64 = void (*)(const float* query, const float* row, std::size_t dim, double* first,
                         double* second) noexcept;

// One row of `count` elements to float32; contiguous elements.
using Convert = void (*)(const void* source, std::size_t count, float* target) noexcept;

// out[i] = the finished distance. `first` and `second` are the sums of a ScanF32; out may be
// `first`. Returns false if a sum lies outside [kTinySum, FLT_MAX]: then the caller scores
// those rows in double, because a float32 term may have been lost.
using Finish = bool (*)(const float* first, const float* second, std::size_t count,
                        double query_norm, float* out) noexcept;

// Copies `count` <= panel_rows rows into a panel: element-major, missing rows as zeros.
using PackPanel = void (*)(const float* rows, std::size_t count, std::size_t dim,
                           std::ptrdiff_t row_stride, float* panel) noexcept;

// products[q * panel_rows + r] = query q . panel row r. Sums with FMA, in another order than
// the scans: candidate passes only, and their margin covers it.
using PanelProducts = void (*)(const float* queries, std::size_t n_queries, std::size_t dim,
                               const float* panel, float* products) noexcept;

// Lists the r with  query_factor * bias[r] + scale[r] * products[r] <= limit, and those where
// that is NaN, in ascending order; returns how many. `products`, `bias` and `scale` hold
// panel_rows values; `found` has room for as many.
using FindCandidates = std::size_t (*)(const float* products, const float* bias, const float* scale,
                                       float query_factor, float limit,
                                       std::uint32_t* found) noexcept;

// Float32 sums below this are scored again in double: a product that underflowed is wrong by
// at most 2^-150, and dim * 2^-150 is nothing beside 2^-100 for any dim that fits in memory.
constexpr float kTinySum = 0x1p-100f;

struct KernelTable {
    const char* name;
    std::uint64_t requires_;  // EVERY feature that the level's file was compiled with

    // A null slot adds nothing to the level below and is inherited from it.
    ScanF32 dot_f32, dot_norm_f32, sqeuclidean_f32, manhattan_f32;
    ScanF64 dot_f64, dot_norm_f64, sqeuclidean_f64, manhattan_f64;
    Finish finish_cosine, finish_euclidean, finish_sqeuclidean, finish_manhattan,
        finish_inner_product;
    Convert convert[static_cast<int>(ElementType::kCount)];

    std::size_t panel_rows;  // goes with the three below: all set, or none
    PackPanel pack_panel;
    PanelProducts panel_products;
    FindCandidates find_candidates;
};

}  // namespace lookalike::kernels
