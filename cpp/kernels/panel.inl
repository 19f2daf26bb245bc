// The candidate pass for many queries: small matrix products over panels of rows. A panel is
// Panel::rows rows, element-major, so that one vector holds the same element of many rows and
// no horizontal sum is needed (Goto and van de Geijn, "Anatomy of high-performance matrix
// multiplication", 2008).
//
//   Panel::Vector          width floats
//   Panel::width           divides Panel::rows
//   Panel::rows            rows in a panel
//   Panel::queries_at_once accumulators of queries_at_once x rows fit the registers
//   zero() load(p) store(p, a) broadcast(p) fma(a, b, c)

template <std::size_t Queries>
inline void products_of_some(const float* queries, std::size_t dim, const float* panel,
                             float* products) noexcept {
    constexpr std::size_t kParts = Panel::rows / Panel::width;
    Panel::Vector sums[Queries][kParts];
// Unrolled, all three loops: else GCC keeps the sums in memory as well, at half the speed.
#pragma GCC unroll 12
    for (std::size_t q = 0; q < Queries; ++q) {
        for (std::size_t p = 0; p < kParts; ++p) sums[q][p] = Panel::zero();
    }
    for (std::size_t i = 0; i < dim; ++i) {
        Panel::Vector elements[kParts];
        for (std::size_t p = 0; p < kParts; ++p) {
            elements[p] = Panel::load(panel + i * Panel::rows + p * Panel::width);
        }
#pragma GCC unroll 12
        for (std::size_t q = 0; q < Queries; ++q) {
            const Panel::Vector value = Panel::broadcast(queries + q * dim + i);
            for (std::size_t p = 0; p < kParts; ++p) {
                sums[q][p] = Panel::fma(value, elements[p], sums[q][p]);
            }
        }
    }
#pragma GCC unroll 12
    for (std::size_t q = 0; q < Queries; ++q) {
        for (std::size_t p = 0; p < kParts; ++p) {
            Panel::store(products + q * Panel::rows + p * Panel::width, sums[q][p]);
        }
    }
}

// The whole depth at once: in slices that fit the first-level cache the products, read and
// written once a slice, cost more than they save.
void panel_products(const float* queries, std::size_t n_queries, std::size_t dim,
                    const float* panel, float* products) noexcept {
    std::size_t q = 0;
    for (; q + Panel::queries_at_once <= n_queries; q += Panel::queries_at_once) {
        products_of_some<Panel::queries_at_once>(queries + q * dim, dim, panel,
                                                 products + q * Panel::rows);
    }
    for (; q + 3 <= n_queries; q += 3) {
        products_of_some<3>(queries + q * dim, dim, panel, products + q * Panel::rows);
    }
    for (; q < n_queries; ++q) {
        products_of_some<1>(queries + q * dim, dim, panel, products + q * Panel::rows);
    }
}

void pack_panel(const float* rows, std::size_t count, std::size_t dim, std::ptrdiff_t row_stride,
                float* panel) noexcept {
    std::size_t r = 0;
    for (; r + 8 <= count; r += 8) {
        const float* first = rows + static_cast<std::ptrdiff_t>(r) * row_stride;
        std::size_t i = 0;
        for (; i + 8 <= dim; i += 8) {
            Panel::transpose_8x8(first + i, row_stride, panel + i * Panel::rows + r);
        }
        for (; i < dim; ++i) {
            for (std::size_t j = 0; j < 8; ++j) {
                panel[i * Panel::rows + r + j] = first[static_cast<std::ptrdiff_t>(j) * row_stride +
                                                       static_cast<std::ptrdiff_t>(i)];
            }
        }
    }
    for (; r < Panel::rows; ++r) {
        const float* row = r < count ? rows + static_cast<std::ptrdiff_t>(r) * row_stride : nullptr;
        for (std::size_t i = 0; i < dim; ++i) panel[i * Panel::rows + r] = row ? row[i] : 0.0f;
    }
}

std::size_t find_candidates(const float* products, const float* bias, const float* scale,
                            float query_factor, float limit, std::uint32_t* found) noexcept {
    std::uint8_t is_candidate[Panel::rows];
    std::uint32_t any = 0;
    for (std::size_t r = 0; r < Panel::rows; ++r) {
        const float bound = query_factor * bias[r] + scale[r] * products[r];
        const bool keep = !(bound > limit);  // a NaN is kept
        is_candidate[r] = keep;
        any |= keep;
    }
    if (!any) return 0;
    std::size_t count = 0;
    for (std::size_t r = 0; r < Panel::rows; ++r) {
        found[count] = static_cast<std::uint32_t>(r);
        count += is_candidate[r];
    }
    return count;
}
