// What every comparison of kernel levels needs: data that are the same on every machine, buffers
// that end where memory ends, and a count of what was compared.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "kernel_table.hpp"

namespace lookalike::compare {

// SplitMix64: the distributions of <random> differ from library to library.
class Random {
 public:
    std::uint64_t bits() {
        std::uint64_t z = state_ += 0x9e3779b97f4a7c15u;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    std::size_t below(std::size_t end) { return static_cast<std::size_t>(bits() % end); }
    int between(int first, int last) {
        return first + static_cast<int>(below(static_cast<std::size_t>(last - first + 1)));
    }
    float unit() { return static_cast<float>(between(-(1 << 24), 1 << 24)) * 0x1p-24f; }
    // As a function, since compilers differ in the order of two draws in one expression.
    template <class T>
    T scaled(T value, int first_exponent, int last_exponent) {
        return std::ldexp(value, between(first_exponent, last_exponent));
    }
    template <class T, std::size_t N>
    T one_of(const T (&values)[N]) {
        return values[below(N)];
    }

 private:
    std::uint64_t state_ = 20261123;
};

// `count` elements followed by a page that nobody may touch: reading past them is a crash.
template <class T>
class Guarded {
 public:
    explicit Guarded(std::size_t count) : count_(count) {
        const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
        const std::size_t used = (count * sizeof(T) + page - 1) / page * page;
        bytes_ = used + page;
        base_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
        char* end = static_cast<char*>(base_) + used;
        if (base_ == MAP_FAILED || mprotect(end, page, PROT_NONE)) std::abort();
        first_ = reinterpret_cast<T*>(end) - count;
    }
    ~Guarded() { munmap(base_, bytes_); }
    Guarded(const Guarded&) = delete;
    Guarded& operator=(const Guarded&) = delete;

    T* data() { return first_; }
    std::size_t size() const { return count_; }
    T& operator[](std::size_t i) { return first_[i]; }
    T* begin() { return first_; }
    T* end() { return first_ + count_; }

 private:
    void* base_;
    T* first_;
    std::size_t bytes_, count_;
};

// What one level was asked, and where it was wrong.
class Report {
 public:
    explicit Report(const char* level) : level_(level) {}

    // What the next comparisons are about.
    template <class... Parts>
    void about(const char* format, Parts... parts) {
        std::snprintf(context_, sizeof context_, format, parts...);
    }
    void expect(bool holds, const char* claim, std::size_t index = 0) {
        ++comparisons_;
        if (holds || ++failures_ > 20) return;
        std::printf("%s: %s [%zu]: %s\n", level_, context_, index, claim);
    }
    // The same bits, or both NaN: which NaN is the CPU's own choice.
    void expect_bits(float value, float wanted, std::size_t index = 0) {
        same(value, wanted, as_bits(value), as_bits(wanted), index);
    }
    void expect_bits(double value, double wanted, std::size_t index = 0) {
        same(value, wanted, as_bits(value), as_bits(wanted), index);
    }

    bool is_well() const { return failures_ == 0; }
    std::size_t failures() const { return failures_; }
    std::size_t comparisons() const { return comparisons_; }
    // Of all values that must have the same bits on every level of every CPU.
    std::uint64_t digest() const { return digest_; }

 private:
    static std::uint64_t as_bits(double value) {
        std::uint64_t bits;
        std::memcpy(&bits, &value, sizeof bits);
        return bits;
    }
    static std::uint64_t as_bits(float value) {
        std::uint32_t bits;
        std::memcpy(&bits, &value, sizeof bits);
        return bits;
    }
    void same(double value, double wanted, std::uint64_t bits, std::uint64_t wanted_bits,
              std::size_t index) {
        ++comparisons_;
        const bool is_nan = std::isnan(value);
        digest_ = (digest_ ^ (is_nan ? ~0u : bits)) * 0x100000001b3u;  // FNV-1a, by words
        if ((is_nan && std::isnan(wanted)) || bits == wanted_bits || ++failures_ > 20) return;
        std::printf("%s: %s [%zu]: %a instead of %a\n", level_, context_, index, value, wanted);
    }

    const char* level_;
    char context_[200] = "";
    std::size_t comparisons_ = 0, failures_ = 0;
    std::uint64_t digest_ = 0xcbf29ce484222325u;
};

void compare_scans(const kernels::KernelTable& level, Report& report);
void compare_finishing(const kernels::KernelTable& level, Report& report);
void compare_converters(const kernels::KernelTable& level, Report& report);
void compare_panels(const kernels::KernelTable& level, Report& report);
void compare_codes(const kernels::KernelTable& level, Report& report);
void compare_sad_codes(const kernels::KernelTable& level, Report& report);
void compare_projections(const kernels::KernelTable& level, Report& report);

}  // namespace lookalike::compare
