#include "code_builder.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <mutex>

#include "directed_rounding.hpp"
#include "error_bounds.hpp"
#include "standard_rounding.hpp"

namespace lookalike::engine {
namespace {

using kernels::kBlockRows;

double square(double value) noexcept { return value * value; }

void write_float(std::uint8_t* target, float value) noexcept {
    std::memcpy(target, &value, sizeof value);
}

std::uint8_t stored(double code) noexcept {
    return static_cast<std::uint8_t>(static_cast<int>(code) + 128);
}

// Addresses within blocks of 16 rows, `together` codes of a row side by side.
struct BlockPlace {
    BlockPlace(const CodeLevel& head, std::uint8_t* codes, std::size_t together, std::size_t floats,
               std::size_t position) noexcept
        : together_(together),
          width_(head.width),
          row_(position % kBlockRows),
          block_(codes +
                 position / kBlockRows * (kBlockRows * (head.width + floats * sizeof(float)))) {}

    std::uint8_t* code(std::size_t i) const noexcept {
        return block_ + (i / together_ * kBlockRows + row_) * together_ + i % together_;
    }
    std::uint8_t* value(std::size_t which) const noexcept {
        return block_ + kBlockRows * width_ + (which * kBlockRows + row_) * sizeof(float);
    }

 private:
    std::size_t together_, width_, row_;
    std::uint8_t* block_;
};

constexpr std::size_t kDotTogether = 4, kDotFloats = 2;
constexpr std::size_t kSadTogether = 8, kSadFloats = 1;

struct Coded {
    double lost2 = 0.0;   // |value - decoded|^2
    double size2 = 0.0;   // |decoded|^2
    double value2 = 0.0;  // |value|^2
};

template <class Place>
Coded code_values(const double* values, const CodeLevel& level, const Place& place) noexcept {
    Coded coded;
    const double per_step = 1.0 / level.step;
    for (std::size_t i = 0; i < level.dims; ++i) {
        const double code = rounded(std::clamp(values[i] * per_step, -127.0, 127.0));
        *place(i) = stored(code);
        coded.lost2 += square(values[i] - code * level.step);
        coded.size2 += square(code * level.step);
        coded.value2 += square(values[i]);
    }
    for (std::size_t i = level.dims; i < level.width; ++i) *place(i) = stored(0.0);
    return coded;
}

struct Tail {
    double value, error;
};

Tail tail_of(double rest2, double norm2, double kappa) noexcept {
    const double error2 = (2.0 * kappa + kProductLoss) * norm2;
    const double value = static_cast<double>(static_cast<float>(std::sqrt(std::max(rest2, 0.0))));
    double error = std::sqrt(error2);
    if (value > error) error = error2 / value;
    return {value, error + 0x1p-23 * value};
}

class ValueEncoder {
 public:
    ValueEncoder(const CodeTarget& target, const double* values, std::size_t n_values,
                 const double* norms2, std::size_t count, std::size_t first) noexcept
        : target_(target),
          values_(values),
          n_values_(n_values),
          norms2_(norms2),
          count_(count),
          first_(first) {}

    // Encodes one chunk of the rows; raises `largest`.
    void run(std::size_t chunk, std::vector<double>& largest) const {
        const std::size_t begin = chunk * kChunkRows, end = std::min(begin + kChunkRows, count_);
        double low = INFINITY, high = 0.0;
        for (std::size_t r = begin; r < end; ++r) {
            const Tail tail = encode_row(r, largest);
            low = std::min(low, tail.value - tail.error);
            high = std::max(high, tail.value + tail.error);
        }
        pad_block(end);
        const std::size_t number = first_ / kChunkRows + chunk;
        target_.lowest_tails[number] = rounded_down(low);
        target_.highest_tails[number] = rounded_up(high);
        encode_centre(number, begin, end, largest[0]);
    }

 private:
    // Returns the tail after the head.
    Tail encode_row(std::size_t r, std::vector<double>& largest) const {
        const double norm2 = norms2_[r];
        double rest2 = norm2, paid = 0.0;
        Tail after_head{};
        for (std::size_t l = 0; l < target_.levels.size(); ++l) {
            const LevelTarget& to = target_.levels[l];
            const double* values = values_ + r * n_values_ + to.level.first;
            const std::size_t position = first_ + r;
            std::uint8_t *term, *tail_at;
            Coded coded;
            if (l == 0) {
                const BlockPlace place(to.level, to.codes, kDotTogether, kDotFloats, position);
                coded = code_values(values, to.level, [&](std::size_t i) { return place.code(i); });
                term = place.value(0);
                tail_at = place.value(1);
            } else {
                std::uint8_t* line = to.codes + position * kernels::kLineBytes;
                coded = code_values(values, to.level, [&](std::size_t i) { return line + i; });
                term = line + kernels::kLineCodes;
                tail_at = term + sizeof(float);
            }
            rest2 -= coded.value2;
            const Tail tail = tail_of(rest2, norm2, target_.kappa);
            if (l == 0) after_head = tail;
            largest[l] = std::max(largest[l], std::sqrt(coded.size2));
            const double error = std::sqrt(coded.lost2) + kProductLoss * std::sqrt(norm2);
            write_terms(coded, error, tail, to.level.tail_epsilon, norm2, paid, term, tail_at);
        }
        return after_head;
    }

    // `paid` is what the row's bound so far has paid for the error of its tail: given back, as
    // only the last tail is in a bound, and replaced.
    void write_terms(const Coded& coded, double error, Tail tail, double tail_epsilon, double norm2,
                     double& paid, std::uint8_t* term, std::uint8_t* tail_at) const {
        if (target_.family == Family::kProduct) {
            write_float(term, rounded_up(error));
            write_float(tail_at, rounded_up(tail.value + tail.error));
            return;
        }
        const double kept = 1.0 - target_.epsilon;
        const double lost = (1.0 / target_.epsilon - 1.0) * (1.0 + kErrorSplit) * square(error);
        const double paid_now =
            (1.0 / tail_epsilon - 1.0) * (1.0 + kTailSplit) * square(tail.error);
        write_float(
            term, rounded_down(kept * coded.size2 - lost - paid_now + paid - kBoundSlack * norm2));
        paid = paid_now;
        write_float(tail_at, static_cast<float>(tail.value));
    }

    // Rows that are missing from the last block have codes too: they are read, then dropped.
    void pad_block(std::size_t end) const {
        const LevelTarget& head = target_.levels[0];
        for (std::size_t p = first_ + end; p % kBlockRows != 0; ++p) {
            const BlockPlace place(head.level, head.codes, kDotTogether, kDotFloats, p);
            for (std::size_t i = 0; i < head.level.width; ++i) *place.code(i) = stored(0.0);
            write_float(place.value(0), 0.0f);
            write_float(place.value(1), 0.0f);
        }
    }

    void encode_centre(std::size_t number, std::size_t begin, std::size_t end,
                       double& largest) const {
        const CodeLevel& head = target_.levels[0].level;
        std::vector<double> centre(head.dims, 0.0);
        for (std::size_t r = begin; r < end; ++r) {
            const double* values = values_ + r * n_values_ + head.first;
            for (std::size_t i = 0; i < head.dims; ++i) centre[i] += values[i];
        }
        for (double& value : centre) value /= static_cast<double>(end - begin);
        const BlockPlace place(head, target_.centres, kDotTogether, kDotFloats, number);
        const Coded coded =
            code_values(centre.data(), head, [&](std::size_t i) { return place.code(i); });
        write_float(place.value(0), static_cast<float>(coded.size2));
        write_float(place.value(1), 0.0f);
        largest = std::max(largest, std::sqrt(coded.size2));
        for (std::size_t i = 0; i < head.dims; ++i) {
            centre[i] = (static_cast<double>(*place.code(i)) - 128.0) * head.step;
        }
        double radius2 = 0.0, norm2 = 0.0;
        for (std::size_t r = begin; r < end; ++r) {
            const double* values = values_ + r * n_values_ + head.first;
            double apart2 = 0.0;
            for (std::size_t i = 0; i < head.dims; ++i) apart2 += square(values[i] - centre[i]);
            radius2 = std::max(radius2, apart2);
            norm2 = std::max(norm2, norms2_[r]);
        }
        target_.radii[number] =
            rounded_up(std::sqrt(radius2) * (1.0 + kSumLoss) + kProductLoss * std::sqrt(norm2));
    }

    const CodeTarget& target_;
    const double* values_;
    std::size_t n_values_;
    const double* norms2_;
    std::size_t count_, first_;
};

class SumEncoder {
 public:
    SumEncoder(const CodeTarget& target, const float* rows, std::size_t dim, std::size_t count,
               std::size_t first) noexcept
        : target_(target), rows_(rows), dim_(dim), count_(count), first_(first) {}

    void run(std::size_t chunk) const {
        const std::size_t begin = chunk * kChunkRows, end = std::min(begin + kChunkRows, count_);
        const CodeLevel& head = target_.levels[0].level;
        std::vector<double> sums(kChunkRows * head.dims), values(dim_);
        double slack = 0.0;
        for (std::size_t r = begin; r < end; ++r) {
            slack = std::max(slack, encode_row(r, values, sums.data() + (r - begin) * head.dims));
        }
        pad_block(end);
        encode_centre(first_ / kChunkRows + chunk, sums, end - begin, slack);
    }

 private:
    // Returns what float64 may have lost in the head's sums.
    double encode_row(std::size_t r, std::vector<double>& values, double* head_sums) const {
        const float* row = rows_ + r * dim_;
        double head_slack = 0.0;
        for (std::size_t l = 0; l < target_.levels.size(); ++l) {
            const LevelTarget& to = target_.levels[l];
            const std::size_t position = first_ + r;
            const double size = sum_groups(row, to.level, values.data());
            const double slack = kSumLoss * size;
            double lost = 0.0;
            std::uint8_t* term;
            if (l == 0) {
                std::copy(values.begin(),
                          values.begin() + static_cast<std::ptrdiff_t>(to.level.dims), head_sums);
                head_slack = slack;
                const BlockPlace place(to.level, to.codes, kSadTogether, kSadFloats, position);
                lost = code(values.data(), to.level, to.level.width,
                            [&](std::size_t i) { return place.code(i); });
                term = place.value(0);
            } else {
                std::uint8_t* line = to.codes + position * to.level.row_bytes;
                lost = code(values.data(), to.level, to.level.row_bytes - sizeof(float),
                            [&](std::size_t i) { return line + i; });
                term = line + to.level.row_bytes - sizeof(float);
            }
            write_float(term, rounded_down(-(lost + slack) * (1.0 + kSumSlack)));
        }
        return head_slack;
    }

    // Returns the sum of the magnitudes that went in.
    double sum_groups(const float* row, const CodeLevel& level, double* values) const {
        double size = 0.0;
        for (std::size_t g = 0; g < level.dims; ++g) {
            const std::size_t begin = g * level.group_size;
            const std::size_t end = std::min(begin + level.group_size, dim_);
            double sum = 0.0, magnitude = 0.0;
            for (std::size_t i = begin; i < end; ++i) {
                sum += row[i];
                magnitude += std::fabs(row[i]);
            }
            values[g] = sum * target_.unit - level.offsets[g];
            size += magnitude * target_.unit + std::fabs(double{level.offsets[g]});
        }
        return size;
    }

    template <class Place>
    static double code(const double* values, const CodeLevel& level, std::size_t room,
                       const Place& place) {
        double lost = 0.0;
        for (std::size_t i = 0; i < level.dims; ++i) {
            const double code = rounded(std::clamp(values[i] / level.step, -128.0, 127.0));
            *place(i) = stored(code);
            lost += std::fabs(values[i] - code * level.step);
        }
        for (std::size_t i = level.dims; i < room; ++i) *place(i) = 0;  // as the query's padding
        return lost;
    }

    void pad_block(std::size_t end) const {
        const LevelTarget& head = target_.levels[0];
        for (std::size_t p = first_ + end; p % kBlockRows != 0; ++p) {
            const BlockPlace place(head.level, head.codes, kSadTogether, kSadFloats, p);
            for (std::size_t i = 0; i < head.level.width; ++i) *place.code(i) = 0;
            write_float(place.value(0), 0.0f);
        }
    }

    void encode_centre(std::size_t number, const std::vector<double>& sums, std::size_t count,
                       double slack) const {
        const CodeLevel& head = target_.levels[0].level;
        std::vector<double> centre(head.dims, 0.0);
        for (std::size_t r = 0; r < count; ++r) {
            for (std::size_t i = 0; i < head.dims; ++i) centre[i] += sums[r * head.dims + i];
        }
        for (double& value : centre) value /= static_cast<double>(count);
        const BlockPlace place(head, target_.centres, kSadTogether, kSadFloats, number);
        code(centre.data(), head, head.width, [&](std::size_t i) { return place.code(i); });
        double radius = 0.0;
        for (std::size_t r = 0; r < count; ++r) {
            double apart = 0.0;
            for (std::size_t i = 0; i < head.dims; ++i) {
                const double value = (static_cast<double>(*place.code(i)) - 128.0) * head.step;
                apart += std::fabs(sums[r * head.dims + i] - value);
            }
            radius = std::max(radius, apart);
        }
        const float rounded = rounded_up((radius + slack) * (1.0 + kSumSlack));
        target_.radii[number] = rounded;
        write_float(place.value(0), -rounded);
    }

    const CodeTarget& target_;
    const float* rows_;
    std::size_t dim_, count_, first_;
};

std::size_t chunks_of(std::size_t count) noexcept { return (count + kChunkRows - 1) / kChunkRows; }

}  // namespace

std::vector<double> encode_values(const CodeTarget& target, const double* values,
                                  std::size_t n_values, const double* norms2, std::size_t count,
                                  std::size_t first, std::size_t n_threads,
                                  const Interrupted& interrupted) {
    const StandardRounding rounding;
    const ValueEncoder encoder(target, values, n_values, norms2, count, first);
    std::vector<double> largest(target.levels.size(), 0.0);
    std::mutex mutex;
    const bool is_complete = for_each_piece(
        chunks_of(count), n_threads, interrupted, [&](std::size_t chunk, std::size_t) {
            std::vector<double> found(target.levels.size(), 0.0);
            encoder.run(chunk, found);
            const std::lock_guard lock(mutex);
            for (std::size_t l = 0; l < found.size(); ++l) {
                largest[l] = std::max(largest[l], found[l]);
            }
        });
    if (!is_complete) largest.clear();
    return largest;
}

bool encode_sums(const CodeTarget& target, const float* rows, std::size_t dim, std::size_t count,
                 std::size_t first, std::size_t n_threads, const Interrupted& interrupted) {
    const StandardRounding rounding;
    const SumEncoder encoder(target, rows, dim, count, first);
    return for_each_piece(chunks_of(count), n_threads, interrupted,
                          [&](std::size_t chunk, std::size_t) { encoder.run(chunk); });
}

}  // namespace lookalike::engine
