// Which rows of a panel can still answer a query, from approximate products. A row is passed
// over only if a deterministic bound proves it farther than the threshold; the rows that stay
// are scored by Scorer like any other.
//
//   euclidean   |q-x|^2 >= (q.q + x.x)(1 - e) - 2 p     as 2|q||x| <= q.q + x.x
//   cosine      1 - p / (|q||x|) - e
//   inner       -p - e |q||x|
//
// with p the panel's product and e = panel_gamma(dim) (error_bounds.hpp), which covers the
// rounding of p, of the norms, of these formulas in float32, and of the finished distance.
#pragma once

#include <cfloat>
#include <cmath>
#include <vector>

#include "error_bounds.hpp"
#include "metric.hpp"

namespace lookalike::engine {

class PanelFilter {
 public:
    PanelFilter(const Scorer& scorer)
        : scorer_(scorer),
          error_(panel_gamma(scorer.dim())),
          panel_(scorer.table().panel_rows * scorer.dim()),
          bias_(scorer.table().panel_rows),
          scale_(scorer.table().panel_rows),
          unused_(scorer.table().panel_rows) {}

    static bool supports(Metric metric) noexcept { return metric != Metric::kManhattan; }

    // Packs rows (count <= panel_rows) and prepares the two terms of their bounds.
    void load(Block rows, std::size_t count) {
        const kernels::KernelTable& table = scorer_.table();
        table.pack_panel(rows.rows, count, scorer_.dim(), rows.stride, panel_.data());
        // The scan that also returns x.x; its product with the first row is not needed.
        table.dot_norm_f32(rows.rows, rows.rows, count, scorer_.dim(), rows.stride, unused_.data(),
                           bias_.data());
        count_ = count;
        for (std::size_t r = 0; r < count; ++r) set_terms(bias_[r], r);
    }

    void products(const float* queries, std::size_t n_queries, float* out) const {
        scorer_.table().panel_products(queries, n_queries, scorer_.dim(), panel_.data(), out);
    }

    // The rows of the loaded panel that may be within `limit`.
    std::size_t candidates(const float* products, float query_factor, float limit,
                           std::uint32_t* found) const {
        std::size_t n = scorer_.table().find_candidates(products, bias_.data(), scale_.data(),
                                                        query_factor, limit, found);
        while (n > 0 && found[n - 1] >= count_) --n;  // the padding of a last, partial panel
        return n;
    }

    // What a row's bound is compared with, for distances up to `threshold`.
    float limit(const Query& query, double norm, float threshold) const {
        if (!query.is_in_range || norm > kLargestNorm || std::isinf(threshold)) return INFINITY;
        double value = 0.0;
        switch (scorer_.metric()) {
            case Metric::kEuclidean:
                value = square(threshold) * (1.0 + error_) - norm * (1.0 - error_);
                break;
            case Metric::kSqeuclidean:
                value = double{threshold} * (1.0 + error_) - norm * (1.0 - error_);
                break;
            case Metric::kCosine:
                value = (double{threshold} - 1.0 + error_) * std::sqrt(norm);
                break;
            default:
                value = threshold;
        }
        return std::nextafter(static_cast<float>(value), INFINITY);
    }

    // The factor of a row's bias.
    float query_factor(double norm) const {
        return scorer_.metric() == Metric::kInnerProduct ? static_cast<float>(std::sqrt(norm))
                                                         : 1.0f;
    }

 private:
    // Beyond it sums of two norms could overflow float32; such rows are always candidates.
    static constexpr float kLargestNorm = 0x1p120f;

    static double square(double value) noexcept { return value * value; }

    void set_terms(float norm, std::size_t r) {
        if (!(norm >= kernels::kTinySum && norm <= kLargestNorm)) {  // also NaN
            bias_[r] = -INFINITY;
            scale_[r] = 0.0f;
            return;
        }
        switch (scorer_.metric()) {
            case Metric::kCosine:
                bias_[r] = 0.0f;
                scale_[r] = static_cast<float>(-1.0 / std::sqrt(double{norm}));
                break;
            case Metric::kInnerProduct:
                bias_[r] = static_cast<float>(-error_ * std::sqrt(double{norm}));
                scale_[r] = -1.0f;
                break;
            default:
                bias_[r] = static_cast<float>(norm * (1.0 - error_));
                scale_[r] = -2.0f;
        }
    }

    const Scorer& scorer_;
    double error_;
    std::size_t count_ = 0;
    std::vector<float> panel_, bias_, scale_, unused_;
};

}  // namespace lookalike::engine
