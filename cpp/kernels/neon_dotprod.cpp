// The NEON dot product level: four products of bytes and their sum in one instruction. No CPU
// has it that lacks the rest of Armv8.2, hence -march=armv8.2-a.
#include <arm_neon.h>

#include <cstdint>

#include "kernel_table.hpp"

#if !defined(__ARM_FEATURE_DOTPROD)
#error "neon_dotprod.cpp must be compiled with -march=armv8.2-a+dotprod"
#endif
#if defined(__ARM_FEATURE_FP16_VECTOR_ARITHMETIC) || defined(__ARM_FEATURE_MATMUL_INT8) || \
    defined(__ARM_FEATURE_SVE)
#error "neon_dotprod.cpp was compiled for more than its table declares"
#endif

namespace lookalike::kernels {
namespace {

inline int32x4_t multiply_add(int32x4_t sums, int8x16_t codes, int8x16_t query) noexcept {
    return vdotq_s32(sums, codes, query);
}

inline uint32x4_t add_bytes(uint32x4_t sums, uint8x16_t bytes) noexcept {
    return vdotq_u32(sums, bytes, vdupq_n_u8(1));
}

#include "codes_neon.inl"

#include "codes.inl"

}  // namespace

// Everything else is inherited from the level below.
extern const KernelTable kNeonDotprodTable;
const KernelTable kNeonDotprodTable{.name = "neon_dotprod",
                                    .requires_ = kDotprod,
                                    .scan_heads = &scan_heads,
                                    .scan_lines = &scan_lines,
                                    .scan_sad_heads = &scan_sad_heads,
                                    .scan_sad_lines = &scan_sad_lines};

}  // namespace lookalike::kernels
