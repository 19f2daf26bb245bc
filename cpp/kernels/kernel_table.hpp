// What a kernel level offers: plain data only. No inline functions, no templates and no
// STL, so that an object compiled for AVX-512 can never leak code into the others.
#pragma once

#include <cstddef>
#include <cstdint>

namespace lookalike::kernels {

// CPU features that a level may require; see dispatch.cpp for how each is detected.
constexpr std::uint64_t kAvx2 = 1u << 0;
constexpr std::uint64_t kFma = 1u << 1;
constexpr std::uint64_t kF16c = 1u << 2;
constexpr std::uint64_t kAvx512f = 1u << 3;
constexpr std::uint64_t kAvx512bw = 1u << 4;
constexpr std::uint64_t kAvx512vl = 1u << 5;
constexpr std::uint64_t kAvx512dq = 1u << 6;
constexpr std::uint64_t kAvx512vnni = 1u << 7;
constexpr std::uint64_t kDotprod = 1u << 8;

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

// Codes of the certified index (engine/cascade.hpp): one byte a dimension, stored as code + 128
// with the code in [-127, 127]. A query's code has 14 bits in two bytes, 128 * high + low, with
// high in [-63, 63] and low in [-64, 63], so that pairs of products fit 16 bits on every CPU.
// Sums of products are exact integers, hence the same on every level.

constexpr std::size_t kBlockRows = 16;  // rows of a block of heads
constexpr std::size_t kLineCodes = 56;  // codes of a line; 64 bytes with its two floats
constexpr std::size_t kLineBytes = 64;

// What a level of codes asks of a row, with dot = sum of query code times row code:
//   partial = alpha + gamma * row_term - beta * dot
//   bound   = partial + tail * (tail_slope + tail_curve * tail)
struct CodeQuery {
    const std::int8_t* high;  // as many as there are codes, those of a line padded with zeros
    const std::int8_t* low;
    std::size_t width;  // codes a row: a multiple of 4, at most 2048
    float alpha, beta, gamma, tail_slope, tail_curve;
    int offset;  // 128 * sum of (128 * high + low): what storing code + 128 adds to dot
};

// The rows that a bound could not exclude. Room for kBlockRows more than are ever found.
struct Survivors {
    std::uint32_t* rows;
    float* partials;
    float* bounds;
};

// Blocks of 16 rows: codes[width / 4][16][4], then 16 row terms and 16 tails as float32.
// Appends the rows with bound <= limit (or NaN), numbered from `first_row`, in ascending order;
// returns how many.
using ScanHeads = std::size_t (*)(const CodeQuery& query, const std::uint8_t* blocks,
                                  std::size_t n_blocks, float limit, std::uint32_t first_row,
                                  Survivors found) noexcept;

// Lines of 56 codes, the row term and the tail; row r's line is the r-th. Adds the line's part
// to each survivor's partial and keeps, in place and in order, those with bound <= limit (or NaN).
using ScanLines = std::size_t (*)(const CodeQuery& query, const std::uint8_t* lines,
                                  std::size_t count, float limit, Survivors kept) noexcept;

// The same by sums of absolute differences, for Manhattan:
//   bound = alpha + row_term + beta * sum |query code - row code|
struct SadQuery {
    const std::uint8_t* codes;  // `width` of them, then zeros up to row_bytes
    std::size_t width;          // heads: codes a row, a multiple of 8
    std::size_t row_bytes;      // lines: bytes a row, a multiple of 64, the last 4 its row term
    float alpha, beta;
};

// Blocks of 16 rows: codes[width / 8][16][8], then 16 row terms as float32.
using ScanSadHeads = std::size_t (*)(const SadQuery& query, const std::uint8_t* blocks,
                                     std::size_t n_blocks, float limit, std::uint32_t first_row,
                                     Survivors found) noexcept;
using ScanSadLines = std::size_t (*)(const SadQuery& query, const std::uint8_t* lines,
                                     std::size_t count, float limit, Survivors kept) noexcept;

// Rows of a projection in 16-bit fixed point: out[r] = sum of query[i] * rows[r * width + i], with
// width a multiple of kProjectStep. Exact: the caller keeps |query||row| below 2^31.
constexpr std::size_t kProjectStep = 64;
using Project = void (*)(const std::int16_t* query, const std::int16_t* rows, std::size_t count,
                         std::size_t width, std::int32_t* out) noexcept;

// Float32 sums below this are scored again in double: a product that underflowed is wrong by
// at most 2^-150, and dim * 2^-150 is nothing beside 2^-100 for any dim that fits in memory.
constexpr float kTinySum = 0x1p-100f;

struct KernelTable {
    const char* name;
    std::uint64_t requires_;  // EVERY feature that the level's file was compiled with

    // A null slot adds nothing to the level below and is inherited from it.
    ScanF32 dot_f32 = nullptr, dot_norm_f32 = nullptr, sqeuclidean_f32 = nullptr,
            manhattan_f32 = nullptr;
    ScanF64 dot_f64 = nullptr, dot_norm_f64 = nullptr, sqeuclidean_f64 = nullptr,
            manhattan_f64 = nullptr;
    Finish finish_cosine = nullptr, finish_euclidean = nullptr, finish_sqeuclidean = nullptr,
           finish_manhattan = nullptr, finish_inner_product = nullptr;
    Convert convert[static_cast<int>(ElementType::kCount)] = {};

    std::size_t panel_rows = 0;  // goes with the three below: all set, or none
    PackPanel pack_panel = nullptr;
    PanelProducts panel_products = nullptr;
    FindCandidates find_candidates = nullptr;

    ScanHeads scan_heads = nullptr;
    ScanLines scan_lines = nullptr;
    ScanSadHeads scan_sad_heads = nullptr;
    ScanSadLines scan_sad_lines = nullptr;
    Project project = nullptr;
};

}  // namespace lookalike::kernels
