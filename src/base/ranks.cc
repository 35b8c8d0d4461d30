#include "base/ranks.h"

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <numeric>

#include "base/error.h"
#include "base/interrupt.h"

#ifdef LAYERBOOST_MPI
#include <mpi.h>

#include <array>
#include <chrono>
#include <thread>

#include "base/clock.h"
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
// Waiting was given up: the others are taken for lost, and nothing is asked of them any more.
bool given_up = false;
// What ranks say when they leave stays apart from what they still wait for.
MPI_Comm leaving = MPI_COMM_NULL;

/// Waits without blocking: MPI's own wait would never return once another process is lost.
void wait(MPI_Request request, const Ranks::GiveUp& give_up = interrupted) {
  for (int done = 0;;) {
    MPI_Test(&request, &done, MPI_STATUS_IGNORE);
    if (done != 0) return;
    given_up = true;  // also where give_up() throws
    if (give_up()) throw Interrupted("stopped while waiting for the other processes");
    given_up = false;
    std::this_thread::sleep_for(std::chrono::microseconds(50));
  }
}

/// The first rank's `size` bytes, in pieces that MPI's int counts.
void broadcast_bytes(void* data, std::size_t size, const Ranks::GiveUp& give_up = interrupted) {
  constexpr std::size_t piece = std::size_t{1} << 28;
  for (std::size_t done = 0; done < size; done += piece) {
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Ibcast(static_cast<char*>(data) + done, static_cast<int>(std::min(piece, size - done)), MPI_BYTE, 0,
               MPI_COMM_WORLD, &request);
    wait(request, give_up);
  }
}

template <typename T>
void sum_of_all(std::span<T> values, MPI_Datatype type, bool first, const Ranks::GiveUp& give_up) {
  // To one rank and from there to all: an all-reduce may add in another order on each.
  constexpr std::size_t piece = std::size_t{1} << 26;
  for (std::size_t done = 0; done < values.size(); done += piece) {
    const std::span<T> part = values.subspan(done, std::min(piece, values.size() - done));
    MPI_Request request = MPI_REQUEST_NULL;
    MPI_Ireduce(first ? MPI_IN_PLACE : part.data(), part.data(), static_cast<int>(part.size()), type, MPI_SUM, 0,
                MPI_COMM_WORLD, &request);
    wait(request, give_up);
  }
  broadcast_bytes(values.data(), values.size_bytes(), give_up);
}

bool still_running() {
  int running = 0, over = 0;
  MPI_Initialized(&running);
  MPI_Finalized(&over);
  return running != 0 && over == 0;
}
#endif

}  // namespace

const Ranks& Ranks::world() {
  static const Ranks ranks;
  return ranks;
}

const Ranks& Ranks::alone() {
  static const Ranks ranks(0, 1);
  return ranks;
}

std::string Ranks::first_text(const std::string& text) const {
  std::string found;
  for (const std::string& each : gather(text))
    if (found.empty()) found = each;
  return broadcast(found);
}

void Ranks::by_first(const std::function<void()>& work) const {
  std::string problem;
  if (first()) {
    try {
      work();
    } catch (const Error& error) {
      problem = error.what();
    }
  }
  problem = broadcast(problem);
  if (!problem.empty()) fail("{}", problem);
}

#ifdef LAYERBOOST_MPI

Ranks::Ranks() {
  if (started_together() == 1) return;
  int provided = 0;
  MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &provided);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &size_);
  MPI_Comm_dup(MPI_COMM_WORLD, &leaving);
  if (rank_ > 0) interrupt_quietly();
}

void Ranks::sum(std::span<float> values, const GiveUp& give_up) const {
  if (size_ > 1) sum_of_all(values, MPI_FLOAT, first(), give_up);
}

void Ranks::sum(std::span<double> values, const GiveUp& give_up) const {
  if (size_ > 1) sum_of_all(values, MPI_DOUBLE, first(), give_up);
}

std::string Ranks::broadcast(std::string text) const {
  if (size_ == 1) return text;
  std::uint64_t size = text.size();
  broadcast_bytes(&size, sizeof size);
  text.resize(size);
  broadcast_bytes(text.data(), size);
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
  if (still_running()) MPI_Finalize();
}

bool Ranks::leave_early(const std::string& message) {
  if (started_together() == 1 || given_up) return !message.empty();
  const Ranks& ranks = world();
  if (!still_running()) return !message.empty();
  constexpr std::size_t longest = 1024;
  std::array<char, longest> mine{};
  message.copy(mine.data(), longest);
  std::vector<char> all(static_cast<std::size_t>(ranks.size()) * longest);
  MPI_Request request = MPI_REQUEST_NULL;
  MPI_Iallgather(mine.data(), longest, MPI_CHAR, all.data(), longest, MPI_CHAR, leaving, &request);
  try {
    constexpr double seconds = 3;
    const Stopwatch clock;
    wait(request, [&] { return clock.seconds() > seconds; });
  } catch (const Interrupted&) {
    return !message.empty();
  }
  MPI_Finalize();
  const auto own = all.begin() + static_cast<std::ptrdiff_t>(longest) * ranks.rank();
  for (auto other = all.begin(); other != own; other += longest)
    if (std::equal(mine.begin(), mine.end(), other)) return false;
  return !message.empty();
}

#else

Ranks::Ranks() {
  if (started_together() > 1)
    fail("started by mpirun, but this layerboost was built without MPI: install libopenmpi-dev and build it again");
}
void Ranks::sum(std::span<float>, const GiveUp&) const {}
void Ranks::sum(std::span<double>, const GiveUp&) const {}
std::string Ranks::broadcast(std::string text) const { return text; }
std::vector<std::string> Ranks::gather(const std::string& text) const { return {text}; }
void Ranks::leave() {}
bool Ranks::leave_early(const std::string& message) { return !message.empty(); }

#endif

}  // namespace layerboost
