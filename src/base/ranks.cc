#include "base/ranks.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <numeric>

#include "base/error.h"
#include "base/interrupt.h"

#ifdef LAYERBOOST_MPI
#include <mpi.h>

#include <chrono>
#include <thread>
#endif

namespace layerboost {
namespace {

/// How many processes mpirun says there are (Open MPI; MPICH and those like it).
int started_together() {
  for (const char* const name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE"})
    if (const char* const value = std::getenv(name)) return std::max(1, std::atoi(value));
  return 1;
}

#ifdef LAYERBOOST_MPI
/// Waits without blocking: MPI's own wait would never return once another process is lost.
void wait(MPI_Request request) {
  for (int done = 0;;) {
    MPI_Test(&request, &done, MPI_STATUS_IGNORE);
    if (done != 0) return;
    check_interrupt("stopped while waiting for the other processes");
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
}

/// The first rank's `size` bytes, in pieces that MPI's int counts.
void broadcast(void* data, std::size_t size) {
  constexpr std::size_t piece = std::size_t{1} << 28;
  for (std::size_t done = 0; done < size; done += piece) {
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Ibcast(static_cast<char*>(data) + done, static_cast<int>(std::min(piece, size - done)), MPI_BYTE, 0,
               MPI_COMM_WORLD, &request);
    wait(request);
  }
}
#endif

}  // namespace

const Ranks& Ranks::world() {
  static const Ranks ranks;
  return ranks;
}

#ifdef LAYERBOOST_MPI

Ranks::Ranks() {
  if (started_together() == 1) return;
  int provided = 0;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &size_);
}

void Ranks::sum(std::span<float> values) const {
  if (size_ == 1) return;
  // To one rank and from there to all: an all-reduce may add in another order on each.
  constexpr std::size_t piece = std::size_t{1} << 26;
  for (std::size_t done = 0; done < values.size(); done += piece) {
    const std::span<float> part = values.subspan(done, std::min(piece, values.size() - done));
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Ireduce(first() ? MPI_IN_PLACE : part.data(), part.data(), static_cast<int>(part.size()), MPI_FLOAT, MPI_SUM, 0,
                MPI_COMM_WORLD, &request);
    wait(request);
  }
  broadcast(values.data(), values.size_bytes());
}

std::string Ranks::share(std::string text) const {
  if (size_ == 1) return text;
  std::uint64_t size = text.size();
  broadcast(&size, sizeof size);
  text.resize(size);
  broadcast(text.data(), size);
  return text;
}

std::vector<std::string> Ranks::gather(const std::string& text) const {
  if (size_ == 1) return {text};
  const int mine = static_cast<int>(text.size());
  std::vector<int> sizes(static_cast<std::size_t>(size_)), offsets(sizes.size());
  MPI_Request request = MPI_REQUEST_NULL;
  MPI_Igather(&mine, 1, MPI_INT, sizes.data(), 1, MPI_INT, 0, MPI_COMM_WORLD, &request);
  wait(request);
  std::exclusive_scan(sizes.begin(), sizes.end(), offsets.begin(), 0);
  std::string all(first() ? static_cast<std::size_t>(offsets.back() + sizes.back()) : 0, '\0');
  MPI_Igatherv(text.data(), mine, MPI_CHAR, all.data(), sizes.data(), offsets.data(), MPI_CHAR, 0, MPI_COMM_WORLD,
               &request);
  wait(request);
  std::vector<std::string> result;
  if (first())
    for (std::size_t i = 0; i < sizes.size(); ++i)
      result.push_back(all.substr(static_cast<std::size_t>(offsets[i]), static_cast<std::size_t>(sizes[i])));
  return result;
}

void Ranks::leave() {
  int running = 0, over = 0;
  MPI_Initialized(&running);
  MPI_Finalized(&over);
  if (running != 0 && over == 0) MPI_Finalize();
}

#else

Ranks::Ranks() {
  if (started_together() > 1)
    fail("started by mpirun, but this layerboost was built without MPI: install libopenmpi-dev and build it again");
}
void Ranks::sum(std::span<float>) const {}
std::string Ranks::share(std::string text) const { return text; }
std::vector<std::string> Ranks::gather(const std::string& text) const { return {text}; }
void Ranks::leave() {}

#endif

}  // namespace layerboost
