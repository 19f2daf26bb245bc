// StandardRounding switches flush-to-zero off, and on again for who had switched it on. Exit
// status 0 if so.
#include "standard_rounding.hpp"

#if defined(__SSE2__)
#include <xmmintrin.h>
#endif

namespace {

void switch_flush_to_zero_on() {
#if defined(__SSE2__)
    _mm_setcsr(_mm_getcsr() | 0x8040);  // FTZ and DAZ
#elif defined(__aarch64__)
    __asm__ volatile("msr fpcr, %0" : : "r"(1ul << 24) : "memory");  // FZ
#endif
}

bool keeps_subnormals() {
    volatile float small = 0x1p-100f, factor = 0x1p-40f;
    volatile float product = small * factor;  // 2^-140
    return product != 0.0f;
}

}  // namespace

int main() {
    bool is_well = keeps_subnormals();
    switch_flush_to_zero_on();
    is_well = is_well && !keeps_subnormals();
    {
        const lookalike::engine::StandardRounding rounding;
        is_well = is_well && keeps_subnormals();
    }
    return is_well && !keeps_subnormals() ? 0 : 1;
}
