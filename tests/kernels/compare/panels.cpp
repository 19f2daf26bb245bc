// Panels: packed exactly, multiplied within the rounding of any order, candidates exactly.
#include "compare.hpp"

namespace lookalike::compare {
namespace {

void compare_packing_and_products(const kernels::KernelTable& level, std::size_t dim,
                                  std::size_t count, std::ptrdiff_t stride, Random& random,
                                  Report& report) {
    report.about("panel, dim %zu, stride %td, %zu rows", dim, stride, count);
    Guarded<float> memory((count - 1) * static_cast<std::size_t>(std::abs(stride)) + dim);
    for (float& value : memory) value = random.unit();
    const float* rows =
        memory.data() + (stride < 0 ? -stride : 0) * static_cast<std::ptrdiff_t>(count - 1);
    const auto row = [&](std::size_t r) { return rows + static_cast<std::ptrdiff_t>(r) * stride; };

    Guarded<float> panel(dim * level.panel_rows);
    for (float& value : panel) value = NAN;
    level.pack_panel(rows, count, dim, stride, panel.data());
    for (std::size_t i = 0; i < dim; ++i) {
        for (std::size_t r = 0; r < level.panel_rows; ++r) {
            report.expect(panel[i * level.panel_rows + r] == (r < count ? row(r)[i] : 0.0f),
                          "packed as it was", r);
        }
    }

    const std::size_t n_queries = 1 + random.below(26);
    Guarded<float> queries(n_queries * dim), products(n_queries * level.panel_rows);
    for (float& value : queries) value = random.unit();
    level.panel_products(queries.data(), n_queries, dim, panel.data(), products.data());
    for (std::size_t q = 0; q < n_queries; ++q) {
        for (std::size_t r = 0; r < level.panel_rows; ++r) {
            double dot = 0.0, magnitude = 0.0;
            for (std::size_t i = 0; i < dim && r < count; ++i) {
                const double product = double{queries[q * dim + i]} * double{row(r)[i]};
                dot += product;
                magnitude += std::fabs(product);
            }
            // dim products and as many sums, each rounded at most once.
            const double slack = 2.0 * static_cast<double>(dim) * 0x1p-24 * magnitude;
            const double product = double{products[q * level.panel_rows + r]};
            report.expect(std::fabs(product - dot) <= slack, "the product within rounding", r);
        }
    }
}

void compare_candidates(const kernels::KernelTable& level, Report& report) {
    Random random;
    for (int round = 0; round < 300; ++round) {
        report.about("find_candidates, round %d", round);
        const std::size_t n = level.panel_rows;
        Guarded<float> products(n), bias(n), scale(n);
        Guarded<std::uint32_t> found(n);
        for (std::size_t r = 0; r < n; ++r) {
            products[r] = random.below(30) ? random.unit() : NAN;
            bias[r] = random.below(30) ? random.unit() : NAN;
            scale[r] = random.below(30) ? random.unit() : INFINITY;
        }
        const float factor = random.unit();
        const float limits[] = {-INFINITY, INFINITY, 0.0f, random.unit(), -2.0f};
        const float limit = limits[round % 5];
        const std::size_t count = level.find_candidates(products.data(), bias.data(), scale.data(),
                                                        factor, limit, found.data());
        std::size_t next = 0;
        for (std::size_t r = 0; r < n; ++r) {
            const float bound = factor * bias[r] + scale[r] * products[r];
            if (bound > limit) continue;
            report.expect(next < count && found[next] == r, "each candidate in its place", r);
            ++next;
        }
        report.expect(next == count, "no more than the candidates");
    }
}

}  // namespace

void compare_panels(const kernels::KernelTable& level, Report& report) {
    Random random;
    for (const std::size_t dim : {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64, 65, 97}) {
        const std::ptrdiff_t width = static_cast<std::ptrdiff_t>(dim);
        for (std::size_t count = 1; count <= level.panel_rows; ++count) {
            for (const std::ptrdiff_t stride : {width, width + 3, -width - 1}) {
                if (random.below(3)) continue;  // a third of them is enough
                compare_packing_and_products(level, dim, count, stride, random, report);
            }
        }
    }
    for (const std::size_t dim : {127, 768, 769, 1536}) {
        compare_packing_and_products(level, dim, level.panel_rows, static_cast<std::ptrdiff_t>(dim),
                                     random, report);
    }
    compare_candidates(level, report);
}

}  // namespace lookalike::compare
