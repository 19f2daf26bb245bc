// Checksums of a memory-mapped section, checked block by block when one is first touched.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace lookalike::engine {

constexpr std::size_t kGuardedBytes = 64 << 10;  // of a block: docs/index-format.md

// The CRC-32 of zlib and PNG.
std::uint32_t crc32(const std::uint8_t* bytes, std::size_t count) noexcept;

class BlockGuard {
 public:
    BlockGuard() = default;
    BlockGuard(const void* base, std::size_t bytes, const std::uint32_t* checksums,
               std::uint8_t* verified) noexcept
        : base_(static_cast<const std::uint8_t*>(base)),
          bytes_(bytes),
          checksums_(checksums),
          verified_(verified) {}

    bool is_guarding() const noexcept { return checksums_ != nullptr; }

    // Whether the blocks of a range are as they were written. Several threads may ask.
    bool check(std::size_t offset, std::size_t count) const noexcept {
        if (!is_guarding() || count == 0) return true;
        const std::size_t last = (offset + count - 1) / kGuardedBytes;
        for (std::size_t block = offset / kGuardedBytes; block <= last; ++block) {
            if (std::atomic_ref(verified_[block]).load(std::memory_order_relaxed)) continue;
            if (!verify(block)) return false;
        }
        return true;
    }
    bool check_all() const noexcept { return check(0, bytes_); }

 private:
    bool verify(std::size_t block) const noexcept;

    const std::uint8_t* base_ = nullptr;
    std::size_t bytes_ = 0;
    const std::uint32_t* checksums_ = nullptr;
    std::uint8_t* verified_ = nullptr;
};

}  // namespace lookalike::engine
