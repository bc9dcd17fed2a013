// The C++ ring that bench/ring.py measures ours against: single producer, single consumer, cached indices.
//
// Written for this bench after the published idea (Lamport 1983; cached peer position as in FastForward and
// MCRingBuffer, the layout of rigtorp/SPSCQueue): head and tail on their own cache lines, each side keeps a copy of the
// other's index and looks again only when the ring seems full or empty. A record is copied in and copied out.
//
//   c++ -O3 -march=native -std=c++17 -o spsc_peer spsc_peer.cpp
//   spsc_peer throughput BYTES COUNT CORE_A CORE_B   prints nanoseconds from the first push to the last pop
//   spsc_peer batch      BYTES COUNT CORE_A CORE_B   the same, 32 records per index store
//   spsc_peer roundtrip  BYTES COUNT CORE_A CORE_B   prints COUNT round trips, nanoseconds, one per line
//   spsc_peer pingpong   8     COUNT CORE_A CORE_B   the same for one cache line and no ring: what the machine can do
//
// The consumer checks the first and the last word of every record; a wrong one ends the process with status 3.
#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <new>
#include <vector>

#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static constexpr uint64_t SLOTS = 1024;
static constexpr uint64_t BATCH = 32;

static inline void relax() {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield" ::: "memory");
#endif
}

static int64_t now_ns() {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return int64_t(t.tv_sec) * 1000000000 + t.tv_nsec;
}

static void pin(int core) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    sched_setaffinity(0, sizeof set, &set);
}

template <size_t BYTES> struct alignas(64) Record {
    int64_t words[BYTES / 8];
};

template <size_t BYTES> struct Ring {
    alignas(128) std::atomic<uint64_t> head{0};
    alignas(128) uint64_t cached_tail{0};
    alignas(128) std::atomic<uint64_t> tail{0};
    alignas(128) uint64_t cached_head{0};
    alignas(128) Record<BYTES> slots[SLOTS];

    bool push(const Record<BYTES> &record) {
        const uint64_t at = head.load(std::memory_order_relaxed);
        if (at - cached_tail == SLOTS) {
            cached_tail = tail.load(std::memory_order_acquire);
            if (at - cached_tail == SLOTS) return false;
        }
        slots[at % SLOTS] = record;
        head.store(at + 1, std::memory_order_release);
        return true;
    }

    bool pop(Record<BYTES> &record) {
        const uint64_t at = tail.load(std::memory_order_relaxed);
        if (at == cached_head) {
            cached_head = head.load(std::memory_order_acquire);
            if (at == cached_head) return false;
        }
        record = slots[at % SLOTS];
        tail.store(at + 1, std::memory_order_release);
        return true;
    }

    uint64_t push_batch(const Record<BYTES> *records, uint64_t count) {
        const uint64_t at = head.load(std::memory_order_relaxed);
        if (SLOTS - (at - cached_tail) < count) {
            cached_tail = tail.load(std::memory_order_acquire);
            const uint64_t room = SLOTS - (at - cached_tail);
            if (room < count) count = room;
        }
        for (uint64_t i = 0; i < count; i++) slots[(at + i) % SLOTS] = records[i];
        if (count) head.store(at + count, std::memory_order_release);
        return count;
    }

    uint64_t pop_batch(Record<BYTES> *records, uint64_t count) {
        const uint64_t at = tail.load(std::memory_order_relaxed);
        if (cached_head - at < count) {
            cached_head = head.load(std::memory_order_acquire);
            if (cached_head - at < count) count = cached_head - at;
        }
        for (uint64_t i = 0; i < count; i++) records[i] = slots[(at + i) % SLOTS];
        if (count) tail.store(at + count, std::memory_order_release);
        return count;
    }
};

template <size_t BYTES> struct Shared {
    Ring<BYTES> there, back;
    alignas(128) std::atomic<int64_t> ready{0};
    alignas(128) std::atomic<int64_t> begin_ns{0};
    alignas(128) std::atomic<int64_t> ping{0};
    alignas(128) std::atomic<int64_t> pong{0};
};

template <size_t BYTES> static bool sound(const Record<BYTES> &record, int64_t number) {
    return record.words[1] == number && record.words[BYTES / 8 - 1] == number;
}

template <size_t BYTES> static void stamp(Record<BYTES> &record, int64_t number) {
    record.words[1] = number;
    record.words[BYTES / 8 - 1] = number;
}

template <size_t BYTES> static int throughput(Shared<BYTES> &shared, int64_t count, int core_a, int core_b, bool batch) {
    const pid_t child = fork();
    if (child == 0) {
        pin(core_b);
        std::vector<Record<BYTES>> records(BATCH);
        shared.ready.store(1, std::memory_order_release);
        for (int64_t done = 0; done < count;) {
            const uint64_t got = batch ? shared.there.pop_batch(records.data(), BATCH) : shared.there.pop(records[0]);
            if (!got) relax();
            for (uint64_t i = 0; i < got; i++)
                if (!sound(records[i], done + int64_t(i))) _exit(3);
            done += int64_t(got);
        }
        printf("%lld\n", (long long)(now_ns() - shared.begin_ns.load(std::memory_order_acquire)));
        fflush(stdout);
        _exit(0);
    }
    pin(core_a);
    std::vector<Record<BYTES>> records(BATCH);
    while (!shared.ready.load(std::memory_order_acquire)) relax();
    shared.begin_ns.store(now_ns(), std::memory_order_release);
    for (int64_t done = 0; done < count;) {
        uint64_t put;
        if (batch) {
            const uint64_t wanted = count - done < int64_t(BATCH) ? uint64_t(count - done) : BATCH;
            for (uint64_t i = 0; i < wanted; i++) stamp(records[i], done + int64_t(i));
            put = shared.there.push_batch(records.data(), wanted);
        } else {
            stamp(records[0], done);
            put = shared.there.push(records[0]);
        }
        if (!put) relax();
        done += int64_t(put);
    }
    int status = 0;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 4;
}

template <size_t BYTES> static int roundtrip(Shared<BYTES> &shared, int64_t count, int core_a, int core_b, bool ring) {
    const pid_t child = fork();
    if (child == 0) {
        pin(core_b);
        Record<BYTES> record{};
        shared.ready.store(1, std::memory_order_release);
        for (int64_t i = 1; i <= count; i++) {
            if (ring) {
                while (!shared.there.pop(record)) relax();
                if (!sound(record, i)) _exit(3);
                while (!shared.back.push(record)) relax();
            } else {
                while (shared.ping.load(std::memory_order_acquire) != i) {}
                shared.pong.store(i, std::memory_order_release);
            }
        }
        _exit(0);
    }
    pin(core_a);
    std::vector<int64_t> times(static_cast<size_t>(count));
    Record<BYTES> record{};
    while (!shared.ready.load(std::memory_order_acquire)) relax();
    for (int64_t i = 1; i <= count; i++) {
        const int64_t begin = now_ns();
        if (ring) {
            stamp(record, i);
            while (!shared.there.push(record)) relax();
            while (!shared.back.pop(record)) relax();
        } else {
            shared.ping.store(i, std::memory_order_release);
            while (shared.pong.load(std::memory_order_acquire) != i) {}
        }
        times[size_t(i - 1)] = now_ns() - begin;
    }
    int status = 0;
    waitpid(child, &status, 0);
    for (int64_t t : times) printf("%lld\n", (long long)t);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 4;
}

template <size_t BYTES> static int run(const char *mode, int64_t count, int core_a, int core_b) {
    void *memory = mmap(nullptr, sizeof(Shared<BYTES>), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) return 4;
    auto &shared = *new (memory) Shared<BYTES>();
    if (!strcmp(mode, "throughput")) return throughput(shared, count, core_a, core_b, false);
    if (!strcmp(mode, "batch")) return throughput(shared, count, core_a, core_b, true);
    if (!strcmp(mode, "roundtrip")) return roundtrip(shared, count, core_a, core_b, true);
    if (!strcmp(mode, "pingpong")) return roundtrip(shared, count, core_a, core_b, false);
    return 2;
}

int main(int argc, char **argv) {
    if (argc != 6) {
        fprintf(stderr, "usage: spsc_peer throughput|batch|roundtrip|pingpong BYTES COUNT CORE_A CORE_B\n");
        return 2;
    }
    const int64_t count = atoll(argv[3]);
    const int core_a = atoi(argv[4]), core_b = atoi(argv[5]);
    switch (atoi(argv[2])) {
    case 8:
    case 64: return run<64>(argv[1], count, core_a, core_b);
    case 256: return run<256>(argv[1], count, core_a, core_b);
    case 1024: return run<1024>(argv[1], count, core_a, core_b);
    }
    return 2;
}
