// The AVX-512 VNNI level: four products of bytes and their sum in one instruction.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wuninitialized"  // GCC bug 105593, in its own header
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#include <immintrin.h>
#pragma GCC diagnostic pop

#include <cstdint>

#include "kernel_table.hpp"

#if !defined(__AVX512VNNI__) || !defined(__AVX512F__) || !defined(__AVX512BW__) || \
    !defined(__AVX512VL__) || !defined(__AVX512DQ__)
#error "avx512_vnni.cpp must be compiled with the flags of avx512.cpp and -mavx512vnni"
#endif
#if defined(__AVX512BF16__)
#error "avx512_vnni.cpp was compiled for more than its table declares"
#endif

namespace lookalike::kernels {
namespace {

inline __m512i multiply_add(__m512i sums, __m512i codes, __m512i query) noexcept {
    return _mm512_dpbusd_epi32(sums, codes, query);
}

inline __m512i multiply_add_pairs(__m512i sums, __m512i a, __m512i b) noexcept {
    return _mm512_dpwssd_epi32(sums, a, b);
}

#include "codes_avx512.inl"

#include "codes.inl"
#include "project.inl"

}  // namespace

// Everything else is inherited from the level below.
extern const KernelTable kAvx512VnniTable;
const KernelTable kAvx512VnniTable{
    .name = "avx512_vnni",
    .requires_ = kAvx2 | kFma | kF16c | kAvx512f | kAvx512bw | kAvx512vl | kAvx512dq | kAvx512vnni,
    .scan_heads = &scan_heads,
    .scan_lines = &scan_lines,
    .scan_sad_heads = &scan_sad_heads,
    .scan_sad_lines = &scan_sad_lines,
    .project = &project};

}  // namespace lookalike::kernels
