// Writing the codes of rows: the other half of coded_query.cpp's bounds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "code_store.hpp"
#include "parallel.hpp"

namespace lookalike::engine {

// Where codes go; `level` describes them, its `codes` being the memory to write.
struct LevelTarget {
    CodeLevel level;
    std::uint8_t* codes;
};

struct CodeTarget {
    Family family;
    std::vector<LevelTarget> levels;
    std::uint8_t* centres;
    float* radii;
    float* lowest_tails;   // not for Manhattan
    float* highest_tails;  // not for Manhattan
    double epsilon;
    double kappa;
    double unit;
};

// Writes the codes of the rows at positions [first, first + count), first a multiple of
// kChunkRows. `values` (count, n_values) are their x' in float64 and `norms2` their |x~|^2.
// Returns the largest |decoded part| of each level; an empty result if interrupted.
std::vector<double> encode_values(const CodeTarget& target, const double* values,
                                  std::size_t n_values, const double* norms2, std::size_t count,
                                  std::size_t first, std::size_t n_threads,
                                  const Interrupted& interrupted);

// The same for Manhattan, from the rows themselves (count, dim). False if interrupted.
bool encode_sums(const CodeTarget& target, const float* rows, std::size_t dim, std::size_t count,
                 std::size_t first, std::size_t n_threads, const Interrupted& interrupted);

}  // namespace lookalike::engine
