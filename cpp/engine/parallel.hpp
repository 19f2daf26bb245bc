// Work in numbered pieces over a few threads, interruptible from the calling one.
#pragma once

#include <atomic>
#include <chrono>
#include <cstddef>
#include <functional>
#include <thread>
#include <vector>

namespace lookalike::engine {

// Whether the work should end early. Made once for a call and asked on the calling thread
// after every piece, it passes the question on about every 50 ms, however short the pieces
// and however many loops over them the call makes.
class Interrupted {
 public:
    using Ask = bool (*)();
    Interrupted(Ask ask) noexcept;
    bool operator()() const;

 private:
    using Clock = std::chrono::steady_clock;
    Ask ask_;
    mutable Clock::time_point asked_;
};

using WorkOnPiece = std::function<void(std::size_t piece, std::size_t thread)>;

// Threads that are started ahead of their work: starting them costs some 30 us each, in which
// the calling thread can prepare it. They live no longer than the object, so that a fork in
// between copies no broken pool; callers weigh their cost with threads_for().
class Helpers {
 public:
    // Starts so many; fewer where the system is out of threads.
    explicit Helpers(std::size_t count);
    ~Helpers();
    Helpers(const Helpers&) = delete;
    Helpers& operator=(const Helpers&) = delete;

    // Runs work(piece, thread) for every piece in [0, pieces), in ascending order of start, on
    // the calling thread (number 0) and the helpers. Returns false if interrupted; an exception
    // in a piece ends the work and is thrown here. Once.
    bool for_each_piece(std::size_t pieces, const Interrupted& interrupted,
                        const WorkOnPiece& work);

 private:
    class Job;
    void serve(std::size_t thread);

    std::atomic<Job*> job_{nullptr};
    std::atomic<int> is_called_{0};
    std::vector<std::thread> threads_;
};

// The same with helpers of its own.
bool for_each_piece(std::size_t pieces, std::size_t n_threads, const Interrupted& interrupted,
                    const WorkOnPiece& work);

// How many threads are worth starting for so many bytes of rows (times passes over them).
std::size_t threads_for(double bytes, std::size_t n_threads) noexcept;

}  // namespace lookalike::engine
