// Floating point as IEEE 754 has it, for as long as the object lives.
#pragma once

#if defined(__SSE2__)
#include <xmmintrin.h>
#elif defined(__aarch64__)
#include <cstdint>
#endif

namespace lookalike::engine {

// Other libraries switch on flush-to-zero in threads that they touch (anything linked with
// -ffast-math does). Distances must not depend on that.
class StandardRounding {
 public:
#if defined(__SSE2__)
    StandardRounding() noexcept : saved_(_mm_getcsr()) { _mm_setcsr(kDefault); }
    ~StandardRounding() { _mm_setcsr(saved_); }

 private:
    static constexpr unsigned kDefault = 0x1f80;  // round to nearest, subnormals kept
    unsigned saved_;
#elif defined(__aarch64__)
    StandardRounding() noexcept {
        __asm__ volatile("mrs %0, fpcr" : "=r"(saved_) : : "memory");
        if (saved_ != kDefault) set(kDefault);
    }
    ~StandardRounding() {
        if (saved_ != kDefault) set(saved_);
    }

 private:
    // Also half precision as IEEE 754 has it: FPCR.AHP would read infinities as numbers.
    static constexpr std::uint64_t kDefault = 0;
    static void set(std::uint64_t control) noexcept {
        __asm__ volatile("msr fpcr, %0" : : "r"(control) : "memory");
    }
    std::uint64_t saved_;
#else
    StandardRounding() noexcept {}
#endif
 public:
    StandardRounding(const StandardRounding&) = delete;
    StandardRounding& operator=(const StandardRounding&) = delete;
};

}  // namespace lookalike::engine
