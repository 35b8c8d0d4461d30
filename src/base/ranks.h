// The processes that share one piece of work under mpirun.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/interrupt.h"

namespace layerboost {

/// Ends this process in silence: another rank tells the user why.
class ToldElsewhere : public Error {
 public:
  ToldElsewhere() : Error("another process has failed") {}
};

/// The processes that mpirun started together; just this one without it, and in a build without MPI. All must call the
/// same functions in the same order. Waiting ends, with Interrupted, when this process is asked to stop, as mpirun asks
/// all when one is lost. Not thread-safe.
class Ranks {
 public:
  /// Asked again and again while a rank waits for the others: true ends it.
  using GiveUp = std::function<bool()>;

  /// Joins the others on first use. Throws Error when several were started but this build has no MPI.
  static const Ranks& world();
  /// This process by itself, whoever was started beside it.
  static const Ranks& alone();

  [[nodiscard]] int rank() const { return rank_; }  // 0 .. size() - 1
  [[nodiscard]] int size() const { return size_; }
  /// Whether this is the one that writes files and talks to the user.
  [[nodiscard]] bool first() const { return rank_ == 0; }

  /// values[i] = the sum of all ranks' values[i]: the same bits on every rank. Throws Interrupted.
  void sum(std::span<float> values, const GiveUp& give_up = interrupted) const;
  void sum(std::span<double> values, const GiveUp& give_up = interrupted) const;

  /// The first rank's `text`, on every rank. Throws Interrupted.
  [[nodiscard]] std::string broadcast(std::string text) const;

  /// Every rank's `text` in order, on the first rank; empty elsewhere. Throws Interrupted.
  [[nodiscard]] std::vector<std::string> gather(const std::string& text) const;

  /// The first text among all ranks' that isn't empty, on every rank; empty where all are. Throws Interrupted.
  [[nodiscard]] std::string first_text(const std::string& text) const;

  /// Does `work` on the first rank alone; where that throws Error, all ranks throw it. Throws Interrupted.
  void by_first(const std::function<void()>& work) const;

  /// Takes leave of the others once the work is done. A process that ends without it is taken for lost, and mpirun ends
  /// the others.
  static void leave();

  /// The same for a process that ends early, with `message` for the user: the others, which may be lost, are waited for
  /// for a few seconds only. Returns whether this process is to say it: not where it is empty, or a lower rank says the
  /// same.
  static bool leave_early(const std::string& message);

 private:
  Ranks();
  Ranks(int rank, int size) : rank_(rank), size_(size) {}
  int rank_ = 0, size_ = 1;
};

}  // namespace layerboost
