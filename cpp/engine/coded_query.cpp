// The bounds. All of them are deterministic: a row is passed over only if its bound is above
// what a row within the threshold can have, with all rounding taken off.
//
// Distances (euclidean, and cosine of normalised rows), with q', x' split into the levels' parts
// and a tail known by its norm alone. |q-x|^2 is at least the sum over the parts and the tail of
// |difference|^2, divided by 1 + kappa (P is orthonormal but for kappa). For a part with codes
// q^ and x^ and B = |q^-x^|, the difference is at least B - E with E = e + e_q, and
//   max(0, B - E)^2 >= (1 - epsilon) B^2 - (1/epsilon - 1) E^2      for any epsilon in (0, 1),
// from 2 B E <= epsilon B^2 + E^2 / epsilon. That is linear in what the kernel sums up, and
// without a root; it is tight where epsilon = E / B, so epsilon is chosen once for a typical
// threshold. Tails differ by at least | |q't| - |x't| | (reverse triangle inequality).
//
// Inner product: q.x = q.mean + q.x~ and -q'.x' >= -q^.x^ - e_q |x^| - |q'| e a part and
// -|q't||x't| for the tail (Cauchy and Schwarz), with q not centred.
//
// Manhattan: |q-x| >= sum over groups of dimensions of |sum of q - sum of x| (triangle
// inequality), and that is at least step * SAD(q^, x^) - e - e_q.
#include "coded_query.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "directed_rounding.hpp"
#include "error_bounds.hpp"

namespace lookalike::engine {
namespace {

constexpr double kFarthest = 0x1p40;          // of a query, in units of the rows' typical norm
constexpr double kTiny = 0x1p-100;            // covers what underflows, in the same unit
constexpr float kTinySquare = 0x1p-147f;      // the same for squares
constexpr double kLargestCode = 8100;         // 14 bits, less a little for rounding
constexpr double kLargestShort = 32000;       // 16 bits, less a little for rounding
constexpr double kLargestProduct = 0x1.cp30;  // below 2^31, for the same
constexpr std::size_t kRowsTogether = 16;     // of P, that stay in the cache for many queries
constexpr float kInfinity = std::numeric_limits<float>::infinity();

double square(double value) noexcept { return value * value; }

double sum_of_squares(const float* values, std::size_t count) noexcept {
    double lanes[8] = {};
    std::size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        for (std::size_t j = 0; j < 8; ++j) lanes[j] += square(values[i + j]);
    }
    for (; i < count; ++i) lanes[0] += square(values[i]);
    double sum = 0.0;
    for (const double lane : lanes) sum += lane;
    return sum;
}

}  // namespace

bool CodedQuery::prepare(const float* query, const float* projected) {
    query_ = query;
    projected_ = projected;
    prepared_ = 0;
    parts_.resize(store_.levels.size());
    if (family_ == Family::kManhattan) {
        double largest = 0.0;
        for (std::size_t i = 0; i < store_.dim; ++i) {
            largest = std::max(largest, std::fabs(double{query[i]}));
        }
        if (!(largest * store_.unit < kFarthest)) return false;
        prepare_level(0);
        return true;
    }
    if (!centre(query)) return false;
    rest2_ = norm2_;
    rest_error_ = 2.0 * store_.kappa * norm2_;
    prepare_level(0);
    return true;
}

// Makes y, and from it what P takes.
bool CodedQuery::centre(const float* query) {
    query_norm_ = std::sqrt(sum_of_squares(query, store_.dim));
    const bool is_normalised = family_ == Family::kProduct || scorer_.metric() == Metric::kCosine;
    if (is_normalised && query_norm_ == 0.0) return false;
    const double factor = is_normalised ? 1.0 / query_norm_ : store_.unit;
    if (!(query_norm_ * factor < kFarthest)) return false;
    const float* mean = store_.mean;
    centred_.resize(store_.dim);
    shift_ = 0.0;
    if (family_ == Family::kProduct) {
        for (std::size_t i = 0; i < store_.dim; ++i) {
            const double value = query[i] * factor;
            shift_ += value * mean[i];
            centred_[i] = static_cast<float>(value);
        }
    } else {
        for (std::size_t i = 0; i < store_.dim; ++i) {
            centred_[i] = static_cast<float>(query[i] * factor - mean[i]);
        }
    }
    norm2_ = sum_of_squares(centred_.data(), store_.dim);
    input_error_ =
        0x1p-23 * std::sqrt(norm2_) + kSumLoss * (query_norm_ * factor + store_.mean_norm) + kTiny;
    if (store_.projection) quantise();
    return true;
}

// Rounds y to 16 bits, so fine as |y||row of P| < 2^31 allows: then P times it is exact.
void CodedQuery::quantise() {
    float largest = 0.0f;
    for (const float value : centred_) largest = std::max(largest, std::fabs(value));
    const double most_norm = kLargestProduct * store_.projection_scale / (1.0 + store_.kappa);
    short_step_ = std::max({largest / kLargestShort, std::sqrt(norm2_) / most_norm, kTiny});
    shorts_.assign(store_.projection_width, 0);
    const double per_step = 1.0 / short_step_;
    double lost2 = 0.0, shorts2 = 0.0;
    for (std::size_t i = 0; i < store_.dim; ++i) {
        const double whole = rounded(centred_[i] * per_step);
        shorts_[i] = static_cast<std::int16_t>(whole);
        lost2 += square(centred_[i] - whole * short_step_);
        shorts2 += square(whole);
    }
    norm2_ = square(short_step_) * shorts2;
    input_error_ = (input_error_ + std::sqrt(lost2) * (1.0 + kSumLoss)) * (1.0 + store_.kappa);
}

void CodedQuery::project(const float* queries, std::size_t count, float* projected) {
    const std::size_t width = store_.projection_width, values = n_values();
    std::vector<std::int16_t> shorts(count * width);
    std::vector<double> scales(count);
    for (std::size_t q = 0; q < count; ++q) {
        if (!centre(queries + q * store_.dim)) continue;
        std::copy(shorts_.begin(), shorts_.end(),
                  shorts.begin() + static_cast<std::ptrdiff_t>(q * width));
        scales[q] = short_step_ * store_.projection_scale;
    }
    for (std::size_t v = 0; v < values; v += kRowsTogether) {
        const std::size_t some = std::min(kRowsTogether, values - v);
        std::int32_t sums[kRowsTogether];
        for (std::size_t q = 0; q < count; ++q) {
            scorer_.table().project(shorts.data() + q * width, store_.projection + v * width, some,
                                    width, sums);
            for (std::size_t i = 0; i < some; ++i) {
                projected[q * values + v + i] = static_cast<float>(sums[i] * scales[q]);
            }
        }
    }
}

void CodedQuery::prepare_level(std::size_t level) {
    for (; prepared_ <= level; ++prepared_) {
        if (family_ == Family::kManhattan) {
            code_sums(prepared_);
        } else {
            code_values(prepared_);
            set_terms(prepared_);
        }
    }
}

void CodedQuery::code_values(std::size_t index) {
    const CodeLevel& level = store_.levels[index];
    Part& part = parts_[index];
    const float* values = centred_.data() + level.first;
    if (store_.projection && projected_) {
        values = projected_ + level.first;
    } else if (store_.projection) {
        sums_.resize(level.dims);
        values_.resize(level.dims);
        scorer_.table().project(shorts_.data(),
                                store_.projection + level.first * store_.projection_width,
                                level.dims, store_.projection_width, sums_.data());
        const double scale = short_step_ * store_.projection_scale;
        for (std::size_t i = 0; i < level.dims; ++i) {
            values_[i] = static_cast<float>(sums_[i] * scale);
        }
        values = values_.data();
    }
    float largest = 0.0f;
    for (std::size_t i = 0; i < level.dims; ++i) largest = std::max(largest, std::fabs(values[i]));
    part.step = std::max(largest / kLargestCode, kSmallestStep);
    const std::size_t bytes = index ? kernels::kLineBytes : level.width;
    part.high.assign(bytes, 0);
    part.low.assign(bytes, 0);
    const double per_step = 1.0 / part.step;
    double lost2 = 0.0, codes2 = 0.0;
    int sum = 0;
    for (std::size_t i = 0; i < level.dims; ++i) {
        const int code = static_cast<int>(std::lrint(values[i] * per_step));
        const int high = (code + 64) >> 7;
        part.high[i] = static_cast<std::int8_t>(high);
        part.low[i] = static_cast<std::int8_t>(code - 128 * high);
        lost2 += square(values[i] - part.step * code);
        codes2 += square(code);
        sum += code;
    }
    const double norm2 = sum_of_squares(values, level.dims);
    // The values are exact but for float32's rounding.
    const double rounding = 0x1p-23 * std::sqrt(norm2) + kTiny;
    const double error = input_error_ + rounding;
    part.coded_norm2 = square(part.step) * codes2;
    part.norm = std::sqrt(norm2) + error;
    part.error = std::sqrt(lost2) * (1.0 + 0x1p-40) + error;
    part.query.high = part.high.data();
    part.query.low = part.low.data();
    part.query.width = level.width;
    part.query.offset = 128 * sum;

    rest2_ -= norm2;
    rest_error_ += (2.0 * std::sqrt(norm2) + rounding) * rounding + kSumLoss * norm2_;
    const double tail2 = std::max(rest2_, 0.0);
    part.tail = static_cast<double>(static_cast<float>(std::sqrt(tail2)));
    // |a - b| <= |a^2 - b^2| / max(a, b), and its root.
    part.tail_error = std::sqrt(rest_error_);
    if (part.tail > part.tail_error) part.tail_error = rest_error_ / part.tail;
    part.tail_error += 0x1p-23 * part.tail + input_error_;
}

void CodedQuery::set_terms(std::size_t index) {
    const CodeLevel& level = store_.levels[index];
    Part& part = parts_[index];
    kernels::CodeQuery& query = part.query;
    const double scale = level.step * part.step;
    if (family_ == Family::kProduct) {
        double alpha =
            -part.error * level.largest - kBoundSlack * (store_.largest_norm + store_.mean_norm);
        if (index == 0) alpha -= shift_ + 2.0 * store_.kappa * store_.largest_norm;
        query.alpha = rounded_down(alpha);
        query.beta = static_cast<float>(scale);
        query.gamma = -rounded_up(part.norm);
        query.tail_slope = -rounded_up(part.tail + part.tail_error);
        query.tail_curve = 0.0f;
        return;
    }
    const double kept = 1.0 - store_.epsilon, kept_of_tail = 1.0 - level.tail_epsilon;
    const double paid =
        (1.0 / store_.epsilon - 1.0) * (1.0 + 1.0 / kErrorSplit) * square(part.error);
    part.paid_for_tail =
        (1.0 / level.tail_epsilon - 1.0) * (1.0 + 1.0 / kTailSplit) * square(part.tail_error);
    // Only the last tail is in a bound: what was paid for the one before is given back.
    const double returned = index ? parts_[index - 1].paid_for_tail : 0.0;
    query.alpha = rounded_down(kept * part.coded_norm2 - paid - part.paid_for_tail + returned -
                               kBoundSlack * norm2_);
    query.beta = static_cast<float>(2.0 * kept * scale);
    query.gamma = 1.0f;
    query.tail_slope = static_cast<float>(-2.0 * kept_of_tail * part.tail);
    query.tail_curve = static_cast<float>(kept_of_tail);
}

void CodedQuery::code_sums(std::size_t index) {
    const CodeLevel& level = store_.levels[index];
    Part& part = parts_[index];
    part.codes.assign(std::max(level.width, level.row_bytes), 0);
    double lost = 0.0, size = 0.0;
    for (std::size_t g = 0; g < level.dims; ++g) {
        const std::size_t first = g * level.group_size;
        const std::size_t last = std::min(first + level.group_size, store_.dim);
        double sum = 0.0, magnitude = 0.0;
        for (std::size_t i = first; i < last; ++i) {
            sum += query_[i];
            magnitude += std::fabs(query_[i]);
        }
        const double value = sum * store_.unit - level.offsets[g];
        const double code = rounded(std::clamp(value / level.step, -128.0, 127.0));
        part.codes[g] = static_cast<std::uint8_t>(static_cast<int>(code) + 128);
        lost += std::fabs(value - code * level.step);
        size += magnitude * store_.unit + std::fabs(double{level.offsets[g]});
    }
    part.sad.codes = part.codes.data();
    part.sad.width = level.width;
    part.sad.row_bytes = level.row_bytes;
    part.error = lost + kSumLoss * size + kTiny;
    part.sad.alpha = rounded_down(-part.error * (1.0 + kSumSlack));
    part.sad.beta = rounded_down(level.step * (1.0 - kSumSlack));
}

double CodedQuery::base_limit(float threshold) const noexcept {
    if (std::isinf(threshold)) {
        return threshold > 0 ? std::numeric_limits<double>::infinity() : -kFarthest * kFarthest;
    }
    const double gamma = scan_gamma(store_.dim), least = 0x1p-148;
    const double value = threshold;
    const double widened = (std::max(value, 0.0) + least) / (1.0 - gamma);  // of one not negative
    double limit = 0.0;
    switch (scorer_.metric()) {
        case Metric::kManhattan:
            return widened * store_.unit * (1.0 + 0x1p-40);
        case Metric::kInnerProduct:
            return (value + least) * (store_.unit / query_norm_) +
                   (gamma + 0x1p-40) * store_.unit * store_.largest_row;
        case Metric::kCosine:
            limit = 2.0 * (value + gamma);
            break;
        case Metric::kEuclidean:
            limit = square(widened * store_.unit);
            break;
        default:
            limit = widened * square(store_.unit);
    }
    return limit * (1.0 + store_.kappa) * (1.0 + 0x1p-40);
}

float CodedQuery::limit(double base, std::size_t level) const noexcept {
    if (family_ == Family::kDistance) {
        base -= (1.0 - store_.levels[level].tail_epsilon) * square(parts_[level].tail);
    }
    return rounded_up(base);
}

float CodedQuery::chunk_limit(double base) const noexcept { return rounded_up(base); }

double CodedQuery::least_distance(double bound, std::size_t level) const noexcept {
    if (family_ == Family::kDistance) {
        bound += (1.0 - store_.levels[level].tail_epsilon) * square(parts_[level].tail);
    }
    return least_distance_of_chunk(bound);
}

double CodedQuery::least_distance_of_chunk(double bound) const noexcept {
    switch (scorer_.metric()) {
        case Metric::kManhattan:
            return bound / store_.unit;
        case Metric::kInnerProduct:
            return bound * (query_norm_ / store_.unit);
        case Metric::kCosine:
            return bound / (2.0 * (1.0 + store_.kappa));
        default:
            return bound / ((1.0 + store_.kappa) * square(store_.unit));
    }
}

void CodedQuery::bound_chunks(std::vector<float>& bounds) {
    const std::size_t n = store_.n_chunks;
    const std::size_t blocks = (n + kernels::kBlockRows - 1) / kernels::kBlockRows;
    const std::size_t room = (blocks + 1) * kernels::kBlockRows;
    if (chunk_rows_.size() < room) {
        chunk_rows_.resize(room);
        chunk_partials_.resize(room);
    }
    if (bounds.size() < room) bounds.resize(room);
    const kernels::Survivors found{chunk_rows_.data(), chunk_partials_.data(), bounds.data()};
    const Part& part = parts_[0];
    if (family_ == Family::kManhattan) {
        scorer_.table().scan_sad_heads(part.sad, store_.centres, blocks, kInfinity, 0, found);
        return;
    }
    kernels::CodeQuery query = part.query;
    query.tail_slope = query.tail_curve = 0.0f;
    const float tail_low = rounded_down(part.tail - part.tail_error);
    const float tail_high = rounded_up(part.tail + part.tail_error);
    if (family_ == Family::kProduct) {
        query.gamma = 0.0f;
        scorer_.table().scan_heads(query, store_.centres, blocks, kInfinity, 0, found);
        const float norm = rounded_up(part.norm);
        for (std::size_t c = 0; c < n; ++c) {
            bounds[c] -= norm * store_.radii[c] + tail_high * store_.highest_tails[c];
        }
        return;
    }
    query.alpha = static_cast<float>(part.coded_norm2);
    query.gamma = 1.0f;
    query.beta = static_cast<float>(2.0 * store_.levels[0].step * part.step);
    scorer_.table().scan_heads(query, store_.centres, blocks, kInfinity, 0, found);
    // |c|^2 <= 2 (|q^|^2 + |q^-c|^2), so that the slack needs no more than what is at hand.
    const float slack = static_cast<float>(4.0 * kBoundSlack);
    const float slack_of_query = slack * query.alpha;
    const float error = rounded_up(part.error);
    const float* radii = store_.radii;
    for (std::size_t c = 0; c < n; ++c) {
        const float between2 = bounds[c] * (1.0f - slack) - slack_of_query;
        const float between = __builtin_sqrtf(std::max(between2, 0.0f));
        const float apart = std::max(between - (radii[c] + error), 0.0f);
        const float gap = std::max(
            std::max(tail_low - store_.highest_tails[c], store_.lowest_tails[c] - tail_high), 0.0f);
        bounds[c] = (apart * apart + gap * gap) * (1.0f - slack) - kTinySquare;
    }
}

}  // namespace lookalike::engine
