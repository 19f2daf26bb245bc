/* How fast this machine reads memory: the sum of a large float32 buffer, nothing else.
 *
 * Compiled by bandwidth.py for the machine it runs on. Eight independent sums of 64 bytes
 * keep the additions out of the way; the prefetching variant also fetches the lines that the
 * hardware prefetcher leaves at the end of each 4 KiB page. The faster of the two counts.
 */
#include <pthread.h>
#include <stddef.h>

typedef float Vector __attribute__((vector_size(64), aligned(4)));

enum { kSums = 8, kFloats = 16, kStep = kSums * kFloats, kAhead = 4096, kMostThreads = 64 };

static inline float read_part(const float* values, size_t count, int is_prefetching) {
    Vector sums[kSums] = {0};
    for (size_t i = 0; i + kStep <= count; i += kStep) {
        for (int s = 0; s < kSums; ++s) {
            const float* at = values + i + s * kFloats;
            if (is_prefetching) __builtin_prefetch((const char*)at + kAhead, 0, 2);
            sums[s] += *(const Vector*)at;
        }
    }
    float total = 0.0f;
    for (int s = 0; s < kSums; ++s) {
        for (int i = 0; i < kFloats; ++i) total += sums[s][i];
    }
    return total;
}

typedef struct {
    const float* values;
    size_t count;
    int is_prefetching;
    float total;
} Part;

static void* run(void* argument) {
    Part* part = argument;
    part->total = part->is_prefetching ? read_part(part->values, part->count, 1)
                                       : read_part(part->values, part->count, 0);
    return NULL;
}

/* Reads count floats, split evenly over the threads; the sum keeps the reads alive. */
float read_all(const float* values, size_t count, int n_threads, int is_prefetching) {
    pthread_t threads[kMostThreads];
    Part parts[kMostThreads];
    int started[kMostThreads] = {0};
    if (n_threads > kMostThreads) n_threads = kMostThreads;
    const size_t share = count / (size_t)n_threads;
    for (int t = n_threads - 1; t >= 0; --t) {
        parts[t] = (Part){values + (size_t)t * share, share, is_prefetching, 0.0f};
        if (t) started[t] = !pthread_create(&threads[t], NULL, run, &parts[t]);
        if (!started[t]) run(&parts[t]);
    }
    float total = parts[0].total;
    for (int t = 1; t < n_threads; ++t) {
        if (started[t]) pthread_join(threads[t], NULL);
        total += parts[t].total;
    }
    return total;
}
