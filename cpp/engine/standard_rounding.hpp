// Floating point as IEEE 754 has it, for as long as the object lives.
#pragma once

#if defined(__SSE2__)
#include <xmmintrin.h>
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
#else
    StandardRounding() noexcept {}
#endif
 public:
    StandardRounding(const StandardRounding&) = delete;
    StandardRounding& operator=(const StandardRounding&) = delete;
};

}  // namespace lookalike::engine
