// Compares every slot of every level that this CPU can run with plain references. Prints a line
// a level: its name, how many values were compared, and a digest of those whose bits are fixed.
// Exit status 1 if anything differs.
#include "compare.hpp"
#include "dispatch.hpp"

int main() {
    using namespace lookalike;
    bool is_well = true;
    for (const kernels::KernelTable* level : kernels::all_levels()) {
        if (!kernels::is_usable(*level)) {
            std::printf("%s: this CPU cannot run it\n", level->name);
            continue;
        }
        const kernels::KernelTable& whole = kernels::level_named(level->name);
        compare::Report report(level->name);
        compare::compare_scans(whole, report);
        compare::compare_finishing(whole, report);
        compare::compare_converters(whole, report);
        compare::compare_panels(whole, report);
        compare::compare_codes(whole, report);
        compare::compare_sad_codes(whole, report);
        compare::compare_projections(whole, report);
        std::printf("%s: %zu of %zu differ, digest %016llx\n", level->name, report.failures(),
                    report.comparisons(), static_cast<unsigned long long>(report.digest()));
        std::fflush(stdout);
        is_well = is_well && report.is_well();
    }
    return is_well ? 0 : 1;
}
