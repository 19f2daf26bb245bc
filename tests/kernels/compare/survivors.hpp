// What the scans over codes must leave, and how far float32 may be from it.
#pragma once

#include <algorithm>

#include "compare.hpp"
#include "error_bounds.hpp"

namespace lookalike::compare {

using kernels::kBlockRows;

constexpr std::uint32_t kFirstRow = 1000;

// What must come of a row. A bound within its slack of the limit may be kept or not.
struct Expected {
    std::uint32_t row;
    double partial, bound;
    double partial_slack, bound_slack;
};

// What the certified bounds leave for it.
constexpr double kRoundings = engine::kCodeRoundings;

struct Found {
    Guarded<std::uint32_t> rows;
    Guarded<float> partials, bounds;

    explicit Found(std::size_t most)
        : rows(most + kBlockRows), partials(most + kBlockRows), bounds(most + kBlockRows) {}
    kernels::Survivors survivors() { return {rows.data(), partials.data(), bounds.data()}; }
};

inline void check_value(float value, double wanted, double slack, std::size_t index,
                        Report& report) {
    if (slack == 0.0) {
        report.expect_bits(value, static_cast<float>(wanted), index);
    } else {
        report.expect(
            std::isnan(wanted) ? std::isnan(value) : std::fabs(double{value} - wanted) <= slack,
            "within rounding", index);
    }
}

inline void check_found(const std::vector<Expected>& expected, float limit, std::size_t count,
                        Found& found, Report& report) {
    std::size_t next = 0;
    for (const Expected& row : expected) {
        const bool is_found = next < count && found.rows[next] == row.row;
        const bool must = std::isnan(row.bound) || row.bound + row.bound_slack <= double{limit};
        const bool may = must || row.bound - row.bound_slack <= double{limit};
        report.expect(is_found ? may : !must, "kept where its bound is within the limit", row.row);
        if (!is_found) continue;
        check_value(found.partials[next], row.partial, row.partial_slack, row.row, report);
        check_value(found.bounds[next], row.bound, row.bound_slack, row.row, report);
        ++next;
    }
    report.expect(next == count, "nothing else is kept, in ascending order");
}

// The limits that tell rows apart: none, all, and the bound in the middle, itself included.
inline std::vector<float> limits_for(const std::vector<Expected>& expected) {
    std::vector<float> limits = {-INFINITY, INFINITY}, bounds;
    for (const Expected& row : expected) {
        if (!std::isnan(row.bound)) bounds.push_back(static_cast<float>(row.bound));
    }
    if (bounds.empty()) return limits;
    std::nth_element(bounds.begin(), bounds.begin() + bounds.size() / 2, bounds.end());
    limits.push_back(bounds[bounds.size() / 2]);
    return limits;
}

template <class Row>
void spoil_some(std::vector<Row>& rows, Random& random) {
    for (Row& row : rows) {
        if (random.below(10) == 0) row.term = NAN;
        if (random.below(10) == 0) row.tail = NAN;
    }
}

inline void put(std::uint8_t* at, float value) { std::memcpy(at, &value, sizeof value); }

}  // namespace lookalike::compare
