// What keeps the rows that answer a query: the k nearest, or all within a radius.
#pragma once

#include <algorithm>
#include <limits>
#include <vector>

#include "scan.hpp"

namespace lookalike::engine {

class NearestCollector {
 public:
    explicit NearestCollector(std::size_t k) : k_(k) {}

    void clear() noexcept { heap_.clear(); }
    bool is_full() const noexcept { return heap_.size() >= k_; }
    std::size_t wanted() const noexcept { return k_; }

    // A row farther than this is not in the answer.
    float threshold() const noexcept {
        return heap_.size() < k_ ? std::numeric_limits<float>::infinity() : heap_.front().distance;
    }

    void push(const Match& match) {
        if (heap_.size() < k_) {
            heap_.push_back(match);
            std::push_heap(heap_.begin(), heap_.end());
        } else if (match < heap_.front()) {
            std::pop_heap(heap_.begin(), heap_.end());
            heap_.back() = match;
            std::push_heap(heap_.begin(), heap_.end());
        }
    }

    void merge(const NearestCollector& other) {
        for (const Match& match : other.heap_) push(match);
    }

    std::vector<Match> take_sorted() {
        std::sort(heap_.begin(), heap_.end());
        return std::move(heap_);
    }

 private:
    std::size_t k_;
    std::vector<Match> heap_;
};

class RadiusCollector {
 public:
    explicit RadiusCollector(float radius) : radius_(radius) {}

    void clear() noexcept { matches_.clear(); }
    bool is_full() const noexcept { return true; }  // its threshold is known from the start
    std::size_t wanted() const noexcept { return 0; }

    float threshold() const noexcept { return radius_; }

    void push(const Match& match) {
        if (match.distance <= radius_) matches_.push_back(match);
    }

    void merge(const RadiusCollector& other) {
        matches_.insert(matches_.end(), other.matches_.begin(), other.matches_.end());
    }

    std::vector<Match> take_sorted() {
        std::sort(matches_.begin(), matches_.end());
        return std::move(matches_);
    }

 private:
    float radius_;
    std::vector<Match> matches_;
};

}  // namespace lookalike::engine
