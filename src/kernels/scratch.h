// Memory that kernels compute in: what a call takes of it, nobody reads after the call.
#pragma once

#include <omp.h>

#include <cstddef>
#include <memory>
#include <memory_resource>
#include <vector>

#include "kernels/activations.h"

namespace layerboost {

/// The memory of one thread: a stack, so that a kernel's part and those of the kernels that it calls don't meet. It
/// keeps as much as was ever in use at the same time.
class ScratchStack {
  struct Top {
    std::size_t block = 0, used = 0;  // the block that parts are taken from, and its bytes in use
    std::size_t total = 0;            // bytes in use of all blocks
  };

 public:
  /// What a call takes, given back when it ends: last taken, first given back. Containers may be in it
  /// (std::pmr::vector); what they no longer need is given back no sooner.
  class Frame final : public std::pmr::memory_resource {
   public:
    explicit Frame(ScratchStack& stack) : stack_(stack), before_(stack.top_) {}
    ~Frame() override { stack_.top_ = before_; }
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;

    /// Room for `count` numbers, aligned to 64 bytes. Contents are undefined.
    template <typename T>
    T* take(std::size_t count) {
      return reinterpret_cast<T*>(stack_.take(count * sizeof(T)));
    }

   private:
    void* do_allocate(std::size_t bytes, std::size_t /*alignment*/) override { return stack_.take(bytes); }
    void do_deallocate(void* /*memory*/, std::size_t /*bytes*/, std::size_t /*alignment*/) override {}
    [[nodiscard]] bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

    ScratchStack& stack_;
    const Top before_;
  };

  /// Bytes that it keeps.
  [[nodiscard]] std::size_t bytes() const;

 private:
  std::byte* take(std::size_t bytes);

  std::vector<AlignedBuffer> blocks_;  // a single one, but while more is in use than ever before
  Top top_;
  std::size_t most_ = 0;  // of top_.total
};

/// A stack for each thread that works on the calls of one owner, who makes them one after another. Grows with what they
/// take; freed with its owner.
class KernelScratch {
 public:
  /// The stacks of a parallel region's threads.
  class Threads {
   public:
    /// The calling thread's.
    [[nodiscard]] ScratchStack& mine() const { return *stacks_[static_cast<std::size_t>(omp_get_thread_num())]; }

   private:
    friend class KernelScratch;
    explicit Threads(const std::vector<std::unique_ptr<ScratchStack>>& stacks) : stacks_(stacks) {}
    const std::vector<std::unique_ptr<ScratchStack>>& stacks_;
  };

  /// The stacks for the region that the owner's thread is about to begin, as large as that may be.
  [[nodiscard]] Threads threads();

  /// The owner's own; in a region that it begins, also that of thread 0.
  [[nodiscard]] ScratchStack& caller();

  /// Bytes that all stacks keep.
  [[nodiscard]] std::size_t bytes() const;

 private:
  std::vector<std::unique_ptr<ScratchStack>> stacks_;
};

}  // namespace layerboost
