#include "metric.hpp"

#include <algorithm>
#include <cfloat>
#include <cmath>

namespace lookalike::engine {
namespace {

constexpr std::size_t kScoreAtOnce = 256;

bool is_outside(float sum) noexcept { return !(sum >= kernels::kTinySum && sum <= FLT_MAX); }

// Whether `holds` for no pair of elements; in steps that compilers turn into vector code.
template <class Holds>
bool holds_nowhere(const float* query, const float* row, std::size_t dim, Holds holds) noexcept {
    constexpr std::size_t kStep = 64;
    std::size_t i = 0;
    for (; i + kStep <= dim; i += kStep) {
        unsigned found = 0;
        for (std::size_t j = 0; j < kStep; ++j) found |= holds(query[i + j], row[i + j]) ? 1u : 0u;
        if (found) return false;
    }
    for (; i < dim; ++i) {
        if (holds(query[i], row[i])) return false;
    }
    return true;
}

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
            if (has_exact_zero(query, row, first[r], second[r])) {
                out[start + r] = metric_ == Metric::kCosine ? 1.0f : 0.0f;
                continue;
            }
            out[start + r] = score_in_double(query, row);
            if (!std::isfinite(out[start + r])) bad = std::min(bad, start + r);
        }
    }
    return bad;
}

bool Scorer::has_exact_zero(const Query& query, const float* row, float first,
                            float second) const noexcept {
    // A sum of 0 is what duplicates, blank pictures and sparse rows have, often by the thousand;
    // comparing elements tells it from an underflow at a fraction of a sum in double.
    switch (metric_) {
        case Metric::kCosine:  // the norm of one of the two
            if (query.norm == 0.0 && std::isfinite(second)) return true;
            return second == 0.0f &&
                   holds_nowhere(row, row, dim_, [](float x, float) { return x != 0.0f; });
        case Metric::kInnerProduct:
            return first == 0.0f && holds_nowhere(query.values, row, dim_, [](float q, float x) {
                       return (q != 0.0f) & (x != 0.0f);
                   });
        case Metric::kManhattan:
            return false;  // its terms do not underflow
        default:
            return first == 0.0f &&
                   holds_nowhere(query.values, row, dim_, [](float q, float x) { return q != x; });
    }
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
