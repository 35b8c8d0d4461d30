// The processes that share one piece of work under mpirun.
#pragma once

#include <span>
#include <string>
#include <vector>

namespace layerboost {

/// The processes that mpirun started together; just this one without it, and in a build without MPI. All must call the
/// same functions in the same order. Waiting ends when this process is asked to stop, as mpirun asks all when one is
/// lost. Not thread-safe.
class Ranks {
 public:
  /// Joins the others on first use. Throws Error when several were started but this build has no MPI.
  static const Ranks& world();

  [[nodiscard]] int rank() const { return rank_; }  // 0 .. size() - 1
  [[nodiscard]] int size() const { return size_; }
  /// Whether this is the one that writes files and talks to the user.
  [[nodiscard]] bool first() const { return rank_ == 0; }

  /// values[i] = the sum of all ranks' values[i]: the same bits on every rank. Throws Interrupted.
  void sum(std::span<float> values) const;

  /// The first rank's `text`, on every rank. Throws Interrupted.
  [[nodiscard]] std::string share(std::string text) const;

  /// Every rank's `text` in order, on the first rank; empty elsewhere. Throws Interrupted.
  [[nodiscard]] std::vector<std::string> gather(const std::string& text) const;

  /// Takes leave of the others once the work is done. A process that ends without it is taken for lost.
  static void leave();

 private:
  Ranks();
  int rank_ = 0, size_ = 1;
};

}  // namespace layerboost
