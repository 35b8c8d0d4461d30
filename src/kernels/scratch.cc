#include "kernels/scratch.h"

#include <algorithm>

namespace layerboost {
namespace {

constexpr std::size_t line = 64;

}  // namespace

std::byte* ScratchStack::take(std::size_t bytes) {
  bytes = (bytes + line - 1) / line * line;
  if (top_.total == 0) {  // nobody holds any: what came in several blocks comes in one from now on
    if (blocks_.size() != 1) {
      blocks_.clear();
      blocks_.emplace_back();
    }
    blocks_.front().reserve(std::max({bytes, most_, line}));
  } else if (top_.used + bytes > blocks_[top_.block].capacity()) {
    ++top_.block;
    top_.used = 0;
    if (top_.block == blocks_.size()) blocks_.emplace_back();
    blocks_[top_.block].reserve(std::max(bytes, line));
  }
  std::byte* const part = blocks_[top_.block].data() + top_.used;
  top_.used += bytes;
  top_.total += bytes;
  most_ = std::max(most_, top_.total);
  return part;
}

std::size_t ScratchStack::bytes() const {
  std::size_t total = 0;
  for (const AlignedBuffer& block : blocks_) total += block.capacity();
  return total;
}

KernelScratch::Threads KernelScratch::threads() {
  const auto most = static_cast<std::size_t>(omp_get_max_threads());
  while (stacks_.size() < most) stacks_.push_back(std::make_unique<ScratchStack>());
  return Threads(stacks_);
}

ScratchStack& KernelScratch::caller() {
  if (stacks_.empty()) stacks_.push_back(std::make_unique<ScratchStack>());
  return *stacks_.front();
}

std::size_t KernelScratch::bytes() const {
  std::size_t total = 0;
  for (const auto& stack : stacks_) total += stack->bytes();
  return total;
}

}  // namespace layerboost
