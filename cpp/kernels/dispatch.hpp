// Which kernel levels this CPU can run, and the finished table of each.
#pragma once

#include <span>
#include <string_view>

#include "kernel_table.hpp"

namespace lookalike::kernels {

// Every feature bit that the CPU has and the operating system has enabled.
std::uint64_t cpu_features() noexcept;

// The levels compiled into this build, weakest first, usable here or not.
std::span<const KernelTable* const> all_levels() noexcept;

// Is every feature that the level was compiled with usable on this machine?
bool is_usable(const KernelTable& level) noexcept;

// The table of a level with its empty slots filled from the levels below.
// Throws std::invalid_argument for a name that is unknown or not usable here.
const KernelTable& level_named(std::string_view name);

}  // namespace lookalike::kernels
