// Compiled with baseline flags: it runs before anybody knows what the CPU can do.
#include "dispatch.hpp"

#include <stdexcept>
#include <string>
#include <vector>

#if defined(LOOKALIKE_X86)
#include <cpuid.h>
#elif defined(LOOKALIKE_ARM64) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(LOOKALIKE_ARM64) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace lookalike::kernels {

extern const KernelTable kScalarTable;
#if defined(LOOKALIKE_X86)
extern const KernelTable kAvx2Table;
extern const KernelTable kAvx512Table;
extern const KernelTable kAvx512VnniTable;
#elif defined(LOOKALIKE_ARM64)
extern const KernelTable kNeonTable;
extern const KernelTable kNeonDotprodTable;
#endif

std::uint64_t cpu_features() noexcept {
    std::uint64_t features = 0;
#if defined(LOOKALIKE_X86)
    // __builtin_cpu_supports also asks XCR0 whether the system saves the wide registers.
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx2")) features |= kAvx2;
    if (__builtin_cpu_supports("fma")) features |= kFma;
    if (__builtin_cpu_supports("avx512f")) features |= kAvx512f;
    if (__builtin_cpu_supports("avx512bw")) features |= kAvx512bw;
    if (__builtin_cpu_supports("avx512vl")) features |= kAvx512vl;
    if (__builtin_cpu_supports("avx512dq")) features |= kAvx512dq;
    if (__builtin_cpu_supports("avx512vnni")) features |= kAvx512vnni;
    unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
    if ((features & kAvx2) && __get_cpuid(1, &eax, &ebx, &ecx, &edx) && (ecx & bit_F16C)) {
        features |= kF16c;  // shares the registers, hence the system support, of AVX
    }
#elif defined(LOOKALIKE_ARM64) && defined(__linux__)
    if (getauxval(AT_HWCAP) & HWCAP_ASIMDDP) features |= kDotprod;
#elif defined(LOOKALIKE_ARM64) && defined(__APPLE__)
    int has_it = 0;
    std::size_t size = sizeof has_it;
    if (!sysctlbyname("hw.optional.arm.FEAT_DotProd", &has_it, &size, nullptr, 0) && has_it) {
        features |= kDotprod;
    }
#endif
    return features;
}

std::span<const KernelTable* const> all_levels() noexcept {
    static const KernelTable* const levels[] = {
        &kScalarTable,
#if defined(LOOKALIKE_X86)
        &kAvx2Table,
        &kAvx512Table,
        &kAvx512VnniTable,
#elif defined(LOOKALIKE_ARM64)
        &kNeonTable,
        &kNeonDotprodTable,
#endif
    };
    return levels;
}

bool is_usable(const KernelTable& level) noexcept {
    static const std::uint64_t features = cpu_features();
    return (level.requires_ & features) == level.requires_;
}

namespace {

template <class Slot>
void inherit(Slot& slot, const Slot& below) {
    if (!slot) slot = below;
}

KernelTable overlay(const KernelTable& level, const KernelTable& below) {
    KernelTable whole = level;
    inherit(whole.dot_f32, below.dot_f32);
    inherit(whole.dot_norm_f32, below.dot_norm_f32);
    inherit(whole.sqeuclidean_f32, below.sqeuclidean_f32);
    inherit(whole.manhattan_f32, below.manhattan_f32);
    inherit(whole.dot_f64, below.dot_f64);
    inherit(whole.dot_norm_f64, below.dot_norm_f64);
    inherit(whole.sqeuclidean_f64, below.sqeuclidean_f64);
    inherit(whole.manhattan_f64, below.manhattan_f64);
    inherit(whole.finish_cosine, below.finish_cosine);
    inherit(whole.finish_euclidean, below.finish_euclidean);
    inherit(whole.finish_sqeuclidean, below.finish_sqeuclidean);
    inherit(whole.finish_manhattan, below.finish_manhattan);
    inherit(whole.finish_inner_product, below.finish_inner_product);
    for (int i = 0; i < static_cast<int>(ElementType::kCount); ++i) {
        inherit(whole.convert[i], below.convert[i]);
    }
    if (!whole.panel_products) {
        whole.panel_rows = below.panel_rows;
        whole.pack_panel = below.pack_panel;
        whole.panel_products = below.panel_products;
        whole.find_candidates = below.find_candidates;
    }
    inherit(whole.scan_heads, below.scan_heads);
    inherit(whole.scan_lines, below.scan_lines);
    inherit(whole.scan_sad_heads, below.scan_sad_heads);
    inherit(whole.scan_sad_lines, below.scan_sad_lines);
    inherit(whole.project, below.project);
    return whole;
}

const std::vector<KernelTable>& whole_levels() {
    static const std::vector<KernelTable> levels = [] {
        std::vector<KernelTable> built;
        for (const KernelTable* level : all_levels()) {
            built.push_back(built.empty() ? *level : overlay(*level, built.back()));
        }
        return built;
    }();
    return levels;
}

}  // namespace

const KernelTable& level_named(std::string_view name) {
    for (const KernelTable& level : whole_levels()) {
        if (name != level.name) continue;
        if (is_usable(level)) return level;
        throw std::invalid_argument("this CPU cannot run the kernel level '" + std::string(name) +
                                    "'");
    }
    throw std::invalid_argument("unknown kernel level '" + std::string(name) + "'");
}

}  // namespace lookalike::kernels
