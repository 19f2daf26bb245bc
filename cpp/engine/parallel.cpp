#include "parallel.hpp"

#include <algorithm>
#include <atomic>
#include <exception>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "standard_rounding.hpp"

namespace lookalike::engine {
namespace {

constexpr auto kCheckEvery = std::chrono::milliseconds(50);
constexpr double kBytesPerThread = 1 << 20;  // some 50 us of reading: twice a thread's start

}  // namespace

Interrupted::Interrupted(Ask ask) noexcept : ask_(ask), asked_(Clock::now()) {}

bool Interrupted::operator()() const {
    const Clock::time_point now = Clock::now();
    if (now - asked_ < kCheckEvery) return false;
    asked_ = now;
    return ask_();
}

std::size_t threads_for(double bytes, std::size_t n_threads) noexcept {
    const double useful = std::max(1.0, bytes / kBytesPerThread);
    return useful < static_cast<double>(n_threads) ? static_cast<std::size_t>(useful) : n_threads;
}

bool for_each_piece(std::size_t pieces, std::size_t n_threads, const Interrupted& interrupted,
                    const std::function<void(std::size_t, std::size_t)>& work) {
    std::atomic<std::size_t> next{0};
    std::atomic<bool> stop{false};
    std::exception_ptr failure;
    std::mutex failure_mutex;

    const auto run = [&](std::size_t thread, bool may_check) {
        const StandardRounding rounding;
        bool completed = true;
        while (!stop.load(std::memory_order_relaxed)) {
            const std::size_t piece = next.fetch_add(1, std::memory_order_relaxed);
            if (piece >= pieces) break;
            try {
                work(piece, thread);
            } catch (...) {
                const std::lock_guard lock(failure_mutex);
                if (!failure) failure = std::current_exception();
                stop = true;
            }
            if (may_check && interrupted()) {
                stop = true;
                completed = false;
            }
        }
        return completed;
    };

    std::vector<std::thread> helpers;
    const std::size_t wanted = std::min(n_threads, pieces);
    try {
        for (std::size_t t = 1; t < wanted; ++t) helpers.emplace_back(run, t, false);
    } catch (const std::system_error&) {
        // The system is out of threads: the calling one does the work of those that miss.
    }
    const bool completed = run(0, true);
    for (std::thread& helper : helpers) helper.join();
    if (failure) std::rethrow_exception(failure);
    return completed;
}

}  // namespace lookalike::engine
