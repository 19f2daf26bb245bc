// Float32 values on the safe side of float64 ones.
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

}  // namespace lookalike::engine
