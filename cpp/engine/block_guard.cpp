#include "block_guard.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

namespace lookalike::engine {
namespace {

// Eight bytes a step: M. E. Kounavis and F. L. Berry, "Novel table lookup-based algorithms for
// high-performance CRC generation", IEEE Transactions on Computers 57 (11), 2008.
constexpr std::size_t kStep = 8;
using Tables = std::array<std::array<std::uint32_t, 256>, kStep>;

constexpr Tables make_tables() noexcept {
    Tables tables{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t value = byte;
        for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ (value & 1 ? 0xedb88320u : 0u);
        tables[0][byte] = value;
    }
    for (std::size_t t = 1; t < kStep; ++t) {
        for (std::size_t byte = 0; byte < 256; ++byte) {
            const std::uint32_t before = tables[t - 1][byte];
            tables[t][byte] = (before >> 8) ^ tables[0][before & 0xff];
        }
    }
    return tables;
}

constexpr Tables kTables = make_tables();

}  // namespace

std::uint32_t crc32(const std::uint8_t* bytes, std::size_t count) noexcept {
    std::uint32_t value = 0xffffffffu;
    std::size_t i = 0;
    if constexpr (std::endian::native == std::endian::little) {
        for (; i + kStep <= count; i += kStep) {
            std::uint32_t low, high;
            std::memcpy(&low, bytes + i, sizeof low);
            std::memcpy(&high, bytes + i + 4, sizeof high);
            low ^= value;
            value = kTables[7][low & 0xff] ^ kTables[6][(low >> 8) & 0xff] ^
                    kTables[5][(low >> 16) & 0xff] ^ kTables[4][low >> 24] ^
                    kTables[3][high & 0xff] ^ kTables[2][(high >> 8) & 0xff] ^
                    kTables[1][(high >> 16) & 0xff] ^ kTables[0][high >> 24];
        }
    }
    for (; i < count; ++i) value = (value >> 8) ^ kTables[0][(value ^ bytes[i]) & 0xff];
    return ~value;
}

bool BlockGuard::verify(std::size_t block) const noexcept {
    const std::size_t start = block * kGuardedBytes;
    const std::size_t count = std::min(kGuardedBytes, bytes_ - start);
    if (crc32(base_ + start, count) != checksums_[block]) return false;
    std::atomic_ref(verified_[block]).store(1, std::memory_order_relaxed);
    return true;
}

}  // namespace lookalike::engine
