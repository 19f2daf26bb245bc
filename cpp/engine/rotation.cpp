#include "rotation.hpp"

#include <algorithm>

#include "error_bounds.hpp"

namespace lookalike::engine {

void rotate(const kernels::KernelTable& table, const float* projection, std::size_t n_values,
            std::size_t dim, const float* inputs, std::size_t count, float* out) {
    const std::size_t rows = table.panel_rows;
    std::vector<float> panel(rows * dim), products(count * rows);
    std::fill_n(out, count * n_values, 0.0f);
    // Slice by slice of the inputs, side by side as the kernel reads them: short sums err less.
    const std::size_t n_slices = (dim + kRotationSlice - 1) / kRotationSlice;
    std::vector<float> slices(count * dim);
    for (std::size_t s = 0; s < n_slices; ++s) {
        const std::size_t first = s * kRotationSlice;
        const std::size_t length = std::min(kRotationSlice, dim - first);
        float* target = slices.data() + first * count;
        for (std::size_t q = 0; q < count; ++q) {
            target = std::copy_n(inputs + q * dim + first, length, target);
        }
    }
    for (std::size_t value = 0; value < n_values; value += rows) {
        const std::size_t some = std::min(rows, n_values - value);
        table.pack_panel(projection + value * dim, some, dim, static_cast<std::ptrdiff_t>(dim),
                         panel.data());
        for (std::size_t s = 0; s < n_slices; ++s) {
            const std::size_t first = s * kRotationSlice;
            const std::size_t length = std::min(kRotationSlice, dim - first);
            table.panel_products(slices.data() + first * count, count, length,
                                 panel.data() + first * rows, products.data());
            for (std::size_t q = 0; q < count; ++q) {
                for (std::size_t v = 0; v < some; ++v) {
                    out[q * n_values + value + v] += products[q * rows + v];
                }
            }
        }
    }
}

}  // namespace lookalike::engine
