// Work in numbered pieces over a few threads, interruptible from the calling one.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>

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

// Runs work(piece, thread) for every piece in [0, pieces), in ascending order of start.
// Threads live for this call only: a fork in between copies no broken pool, and starting
// them costs some 20 us, which callers weigh with threads_for(). Returns false if
// interrupted; an exception in a piece ends the work and is thrown here.
bool for_each_piece(std::size_t pieces, std::size_t n_threads, const Interrupted& interrupted,
                    const std::function<void(std::size_t piece, std::size_t thread)>& work);

// How many threads are worth starting for so many bytes of rows (times passes over them).
std::size_t threads_for(double bytes, std::size_t n_threads) noexcept;

}  // namespace lookalike::engine
