#include "metric.hpp"

#include <algorithm>
#include <cfloat>
#include <cmath>

namespace lookalike::engine {
namespace {

constexpr std::size_t kScoreAtOnce = 256;

bool is_outside(float sum) noexcept { return !(sum >= kernels::kTinySum && sum <= FLT_MAX); }

}  // namespace

Scorer::Scorer(const kernels::KernelTable& table, Metric metric, std::size_t dim) noexcept
    : table_(&table), metric_(metric), dim_(dim) {
    switch (metric) {
        case Metric::kCosine:
            scan_ = table.dot_norm_f32;
            scan_in_double_ = table.dot_norm_f64;
            finish_ = table.finish_cosine;
            break;
        case Metric::kEuclidean:
            scan_ = table.sqeuclidean_f32;
            scan_in_double_ = table.sqeuclidean_f64;
            finish_ = table.finish_euclidean;
            break;
        case Metric::kSqeuclidean:
            scan_ = table.sqeuclidean_f32;
            scan_in_double_ = table.sqeuclidean_f64;
            finish_ = table.finish_sqeuclidean;
            break;
        case Metric::kManhattan:
            scan_ = table.manhattan_f32;
            scan_in_double_ = table.manhattan_f64;
            finish_ = table.finish_manhattan;
            break;
        case Metric::kInnerProduct:
            scan_ = table.dot_f32;
            scan_in_double_ = table.dot_f64;
            finish_ = table.finish_inner_product;
            break;
    }
}

Query Scorer::prepare(const float* values) const noexcept {
    float norm = 0.0f;
    table_->dot_f32(values, values, 1, dim_, 0, &norm, nullptr);
    if (!is_outside(norm)) return {values, static_cast<double>(norm), true};
    double wide_norm = 0.0;
    table_->dot_f64(values, values, dim_, &wide_norm, nullptr);
    return {values, wide_norm, false};
}

std::size_t Scorer::score(const Query& query, Block block, std::size_t count,
                          float* out) const noexcept {
    float second[kScoreAtOnce], first[kScoreAtOnce];
    const bool always_in_double = metric_ == Metric::kCosine && !query.is_in_range;
    std::size_t bad = count;
    for (std::size_t start = 0; start < count; start += kScoreAtOnce) {
        const std::size_t some = std::min(kScoreAtOnce, count - start);
        const float* rows = block.rows + static_cast<std::ptrdiff_t>(start) * block.stride;
        scan_(query.values, rows, some, dim_, block.stride, first, second);
        const bool is_clean = finish_(first, second, some, query.norm, out + start);
        if (is_clean && !always_in_double) continue;
        for (std::size_t r = 0; r < some; ++r) {
            bool redo = always_in_double;
            switch (metric_) {
                case Metric::kCosine:
                    redo = redo || is_outside(second[r]) || !std::isfinite(first[r]);
                    break;
                case Metric::kInnerProduct:
                    redo = is_outside(std::fabs(first[r]));
                    break;
                case Metric::kManhattan:
                    redo = !std::isfinite(first[r]);
                    break;
                default:
                    redo = is_outside(first[r]);
            }
            if (!redo) continue;
            const float* row = rows + static_cast<std::ptrdiff_t>(r) * block.stride;
            out[start + r] = score_in_double(query, row);
            if (!std::isfinite(out[start + r])) bad = std::min(bad, start + r);
        }
    }
    return bad;
}

float Scorer::score_in_double(const Query& query, const float* row) const noexcept {
    double first = 0.0, second = 0.0;
    scan_in_double_(query.values, row, dim_, &first, &second);
    switch (metric_) {
        case Metric::kCosine: {
            if (!std::isfinite(first) || !std::isfinite(second)) return NAN;
            // The query's norm in double too: then d(x, x) is exactly 0 here as well.
            double norm = query.norm;
            if (query.is_in_range) {
                table_->dot_f64(query.values, query.values, dim_, &norm, nullptr);
            }
            if (norm == 0.0 || second == 0.0) return 1.0f;  // no direction: unrelated
            const double value = 1.0 - first / std::sqrt(norm * second);
            return static_cast<float>(std::clamp(value, 0.0, 2.0));
        }
        case Metric::kEuclidean:
            return static_cast<float>(std::sqrt(first));
        case Metric::kInnerProduct:
            return static_cast<float>(0.0 - first);
        default:
            return static_cast<float>(first);
    }
}

}  // namespace lookalike::engine
