// Projections in 16-bit fixed point: exact, also where sums come close to 2^31.
#include "compare.hpp"

namespace lookalike::compare {
namespace {

constexpr double kMostProduct = 0x1.cp30;  // as in coded_query.cpp

// Values whose norm is within the bound: small ones, or a few large ones among zeros.
void fill(Guarded<std::int16_t>& values, std::size_t count, double most_norm, Random& random) {
    const bool is_sparse = random.below(2);
    const double share = is_sparse ? most_norm / 2.0 : most_norm / std::sqrt(double(count));
    const int most = static_cast<int>(std::min(32000.0, share));
    for (std::int16_t& value : values) value = 0;
    for (std::size_t i = 0; i < (is_sparse ? 4 : count); ++i) {
        const std::size_t at = is_sparse ? random.below(count) : i;
        values[at] = static_cast<std::int16_t>(random.below(3)   ? random.between(-most, most)
                                               : random.below(2) ? most
                                                                 : -most);
    }
}

}  // namespace

void compare_projections(const kernels::KernelTable& level, Report& report) {
    Random random;
    const double most_norm = std::sqrt(kMostProduct);
    for (const std::size_t width : {64, 128, 192, 448, 768, 832, 1280, 2048, 4096}) {
        for (std::size_t count : {0, 1, 3, 16, 17, 56}) {
            report.about("project, width %zu, %zu rows", width, count);
            Guarded<std::int16_t> query(width), rows(count * width);
            Guarded<std::int32_t> out(count);
            fill(query, width, most_norm, random);
            for (std::size_t r = 0; r < count; ++r) {
                Guarded<std::int16_t> row(width);
                fill(row, width, most_norm, random);
                std::copy(row.begin(), row.end(), rows.data() + r * width);
            }
            level.project(query.data(), rows.data(), count, width, out.data());
            for (std::size_t r = 0; r < count; ++r) {
                std::int64_t sum = 0;
                for (std::size_t i = 0; i < width; ++i) {
                    sum += std::int64_t{query[i]} * rows[r * width + i];
                }
                report.expect(out[r] == sum, "exact", r);
            }
        }
    }
}

}  // namespace lookalike::compare
