// The lowest threshold that any thread has reached for a query.
#pragma once

#include <atomic>
#include <limits>

namespace lookalike::engine {

class SharedThreshold {
 public:
    float value() const noexcept { return value_.load(std::memory_order_relaxed); }
    void reset(float threshold) noexcept { value_.store(threshold, std::memory_order_relaxed); }
    void lower_to(float threshold) noexcept {
        float known = value();
        while (threshold < known && !value_.compare_exchange_weak(known, threshold)) {
        }
    }

 private:
    std::atomic<float> value_{std::numeric_limits<float>::infinity()};
};

}  // namespace lookalike::engine
