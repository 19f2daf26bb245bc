// How far rounding can move a computed value: the constants that candidate passes subtract
// and that the accuracy tests assert (docs/accuracy.md).
//
// Source: N. J. Higham, "Accuracy and Stability of Numerical Algorithms", 2nd ed., 2002,
// section 3.1: a sum of n products in any order is within gamma_n = n u / (1 - n u) of
// sum |a_i b_i|; here u = 2^-24 and each constant is at least twice what the proof needs.
#pragma once

#include <cstddef>

namespace lookalike::engine {

constexpr double kUnit = 0x1p-23;  // twice float32's unit roundoff

// The 32-lane scans: dim/32 additions a lane, 5 in the tree, 3 for term and finish.
constexpr double scan_gamma(std::size_t dim) noexcept {
    return (static_cast<double>(dim) / 32.0 + 8.0) * kUnit;
}

// The panel products: up to dim sequential multiply-adds, the norms' own scan error, and the
// few float32 operations that turn a product into a bound.
constexpr double panel_gamma(std::size_t dim) noexcept {
    return (static_cast<double>(dim) + static_cast<double>(dim) / 32.0 + 64.0) * kUnit;
}

// The bounds from codes (coded_query.cpp; docs/certificate.md has the proofs). A row's own error e
// and the query's e_q add up; their squares are kept apart by
// (e + e_q)^2 <= (1 + w) e^2 + (1 + 1/w) e_q^2, for any w > 0.
constexpr double kErrorSplit = 0x1p-4;
constexpr double kTailSplit = 1.0;  // the same for tails, where both errors are alike

// What the scans over codes may lose, in any order and fused or not, as a share of the summed
// magnitudes of what they add up: ten roundings. The kernel tests hold every level to it.
constexpr double kCodeRoundings = 10 * 0x1p-24;

// What every level of codes takes off its bound for that, and for four values that are rounded to
// float32 on the way, as a share of |q'|^2 + |x'|^2. Where a bound can exceed a limit at all, the
// magnitudes are at most 25 times that.
constexpr double kBoundSlack = 0x1p-15;
static_assert(25 * (kCodeRoundings + 4 * 0x1p-24) <= kBoundSlack);

// The same for bounds that are sums of |terms| (Manhattan): a share of each term.
constexpr double kSumSlack = 0x1p-19;
static_assert(3 * kCodeRoundings <= kSumSlack);

// What float64 loses in a sum or a norm of up to 2^16 terms, as a share of their magnitudes, and
// in the product of a vector with 1024 rows of P, as a share of the vector's norm.
constexpr double kSumLoss = 0x1p-40;
constexpr double kProductLoss = 0x1p-30;

// No step is smaller: products of two steps are normal floats.
constexpr double kSmallestStep = 0x1p-60;

}  // namespace lookalike::engine
