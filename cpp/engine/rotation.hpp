// Many queries through the projection at once, by the panel products.
#pragma once

#include <cstddef>
#include <vector>

#include "metric.hpp"

namespace lookalike::engine {

// out[q * n_values + v] = projection row v . input q, within rotation_gamma() of the sum of
// the magnitudes of its terms.
void rotate(const kernels::KernelTable& table, const float* projection, std::size_t n_values,
            std::size_t dim, const float* inputs, std::size_t count, float* out);

}  // namespace lookalike::engine
