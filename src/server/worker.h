// A thread for what takes longer than the event loop may wait: parsing and tokenising of requests.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

namespace layerboost {

/// Runs what it is given, one after another, in a thread of its own.
class Worker {
 public:
  Worker();
  /// Finishes what runs; what waits is dropped.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Thread-safe. What `work` throws is told in a warning, and ends it alone.
  void post(std::function<void()> work);

 private:
  void run();

  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  bool stop_ = false;
  std::thread thread_;
};

}  // namespace layerboost
