// Float32 values on the safe side of float64 ones, and whole ones near them.
#pragma once

#include <cmath>
#include <limits>

namespace lookalike::engine {

inline float rounded_down(double value) noexcept {
    return std::nextafter(static_cast<float>(value), -std::numeric_limits<float>::infinity());
}

inline float rounded_up(double value) noexcept {
    return std::nextafter(static_cast<float>(value), std::numeric_limits<float>::infinity());
}

// The nearest integer, ties to even, of a magnitude below 2^51: std::nearbyint as plain
// arithmetic, which compilers turn into vector code for any CPU. Needs StandardRounding.
inline double rounded(double value) noexcept {
    constexpr double kShift = 0x1.8p52;
    return (value + kShift) - kShift;
}

}  // namespace lookalike::engine
