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

// What the threads of one call share.
class Helpers::Job {
 public:
    Job(std::size_t pieces, const WorkOnPiece& work) : pieces_(pieces), work_(work) {}

    // Works until no piece is left. False if `interrupted` (null: never) says so.
    bool run(std::size_t thread, const Interrupted* interrupted) {
        const StandardRounding rounding;
        while (!stop_.load(std::memory_order_relaxed)) {
            const std::size_t piece = next_.fetch_add(1, std::memory_order_relaxed);
            if (piece >= pieces_) break;
            try {
                work_(piece, thread);
            } catch (...) {
                const std::lock_guard lock(failure_mutex_);
                if (!failure_) failure_ = std::current_exception();
                stop_ = true;
            }
            if (interrupted && (*interrupted)()) {
                stop_ = true;
                return false;
            }
        }
        return true;
    }

    void rethrow() const {
        if (failure_) std::rethrow_exception(failure_);
    }

 private:
    std::size_t pieces_;
    const WorkOnPiece& work_;
    std::atomic<std::size_t> next_{0};
    std::atomic<bool> stop_{false};
    std::exception_ptr failure_;
    std::mutex failure_mutex_;
};

Helpers::Helpers(std::size_t count) {
    threads_.reserve(count);
    try {
        for (std::size_t t = 1; t <= count; ++t) {
            threads_.emplace_back([this, t] { serve(t); });
        }
    } catch (const std::system_error&) {
        // The system is out of threads: the calling one does the work of those that miss.
    }
}

Helpers::~Helpers() {
    if (!is_called_.exchange(1)) is_called_.notify_all();  // there was no work
    for (std::thread& thread : threads_) {
        if (thread.joinable()) thread.join();
    }
}

void Helpers::serve(std::size_t thread) {
    is_called_.wait(0);
    if (Job* job = job_.load()) job->run(thread, nullptr);
}

bool Helpers::for_each_piece(std::size_t pieces, const Interrupted& interrupted,
                             const WorkOnPiece& work) {
    Job job(pieces, work);
    job_ = &job;
    is_called_ = 1;
    if (!threads_.empty()) is_called_.notify_all();
    const bool is_complete = job.run(0, &interrupted);
    for (std::thread& thread : threads_) thread.join();
    job.rethrow();
    return is_complete;
}

bool for_each_piece(std::size_t pieces, std::size_t n_threads, const Interrupted& interrupted,
                    const WorkOnPiece& work) {
    Helpers helpers(std::max<std::size_t>(std::min(n_threads, pieces), 1) - 1);
    return helpers.for_each_piece(pieces, interrupted, work);
}

}  // namespace lookalike::engine
