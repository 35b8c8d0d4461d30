// What surrounds each call from outside that may fail or compute.
#pragma once

#include <omp.h>

#include <exception>
#include <new>
#include <utility>

#include "base/cpu.h"
#include "base/error.h"
#include "base/file.h"

namespace layerboost {

/// What `body` returns. Whatever else it throws is thrown as an Error, but for std::bad_alloc.
template <typename Body>
auto call(Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (const Error&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const fs::filesystem_error& error) {
    fail("{}", message_of(error));
  } catch (const std::exception& error) {  // of oneDNN, for instance
    fail("unexpected error: {}", error.what());
  }
}

/// While it lives, OpenMP uses `threads` threads for what the calling thread computes; then as many as before.
class ThreadsOfCall {
 public:
  /// `threads`: as use_threads() takes it.
  explicit ThreadsOfCall(int threads) : before_(omp_get_max_threads()) { use_threads(threads); }
  ~ThreadsOfCall() { omp_set_num_threads(before_); }
  ThreadsOfCall(const ThreadsOfCall&) = delete;
  ThreadsOfCall& operator=(const ThreadsOfCall&) = delete;

 private:
  int before_;
};

}  // namespace layerboost
