// The codes of a group's rows: what the certified search reads instead of the rows.
//
// A row x becomes x' = P (unit * x - mean) (for cosine x / |x|), with P close to orthonormal.
// Its leading dimensions are the head, read for every row; the next ones come in lines of 56,
// read for the rows that the head could not exclude. Heads lie in blocks of 16 rows and chunks
// of 64, in an order that puts near rows together; each chunk has a centre and a radius.
// Manhattan allows no rotation: there, heads and lines are sums over neighbouring dimensions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "metric.hpp"

namespace lookalike::engine {

constexpr std::size_t kChunkRows = 64;

// Which bound the metric takes.
enum class Family { kDistance, kProduct, kManhattan };

constexpr Family family_of(Metric metric) noexcept {
    switch (metric) {
        case Metric::kInnerProduct:
            return Family::kProduct;
        case Metric::kManhattan:
            return Family::kManhattan;
        default:
            return Family::kDistance;
    }
}

// One level of codes: a range of the dimensions of x' with one step, or one size of sums.
struct CodeLevel {
    const std::uint8_t* codes;  // blocks (the head) or lines
    std::size_t width;          // codes a row
    std::size_t first, dims;    // which dimensions of x'; dims <= width
    std::size_t row_bytes;      // of a line
    double step;
    double tail_epsilon;     // epsilon of the tail behind this level; 1: it is not used
    double largest;          // the largest |decoded part| of any row (inner product)
    std::size_t group_size;  // how many dimensions a sum takes (Manhattan)
    const float* offsets;    // subtracted from the sums (Manhattan): dims values
};

struct CodeStore {
    std::size_t n = 0;                     // rows with codes
    std::size_t dim = 0;                   // of the rows
    const std::uint32_t* order = nullptr;  // position among the codes -> row
    std::vector<CodeLevel> levels;         // the head first

    std::size_t n_chunks = 0;
    const std::uint8_t* centres = nullptr;  // of chunks, in blocks like heads
    const float* radii = nullptr;           // around them, over the head's dimensions
    const float* lowest_tails = nullptr;
    const float* highest_tails = nullptr;

    const float* mean = nullptr;  // (dim,)
    // (dimensions of x', projection_width) in units of projection_scale, a power of two; null
    // where x' = x. Rows are padded with zeros to a multiple of kProjectStep.
    const std::int16_t* projection = nullptr;
    std::size_t projection_width = 0;
    double projection_scale = 0.0;
    double unit = 1.0;          // a power of two; 1 for cosine
    double epsilon = 0.0;       // see coded_query.cpp
    double kappa = 0.0;         // |P P' - I|, measured in float64, rounded up
    double largest_norm = 0.0;  // of unit * x - mean
    double largest_row = 0.0;   // of x as it is, those without codes included
    double mean_norm = 0.0;

    const std::uint32_t* uncoded = nullptr;  // rows that are always scored
    std::size_t n_uncoded = 0;
    const std::uint32_t* zeros = nullptr;  // all-zero rows, by key: cosine gives them exactly 1
    std::size_t n_zeros = 0;
};

}  // namespace lookalike::engine
