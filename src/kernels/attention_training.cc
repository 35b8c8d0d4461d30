#include "kernels/attention_training.h"

#include <omp.h>

#include <algorithm>
#include <vector>

#include "base/error.h"
#include "kernels/attention.h"
#include "kernels/dispatch.h"
#include "kernels/head_parts.h"
#include "kernels/head_set.h"

namespace layerboost {
namespace {

constexpr int page_slots = 64;
// With fewer sequences' KV heads than this, the query heads of each are items of their own, so that threads share the
// work evenly.
constexpr int enough_items = 16;

/// Keys and values of all sequences in the pages that the serving kernel reads: for each sequence a page of sinks, if
/// any, and pages of the positions behind them.
class Pages {
 public:
  Pages(const TrainingAttention& shape, const float* k, const float* v, KernelScratch& scratch)
      : shape_(shape), frame_(scratch.caller()) {
    const int behind = std::max(0, shape.length - shape.sinks);
    pages_ = (behind + page_slots - 1) / page_slots;
    sink_layout_ = layout((shape.sinks + 15) / 16 * 16);
    sequence_bytes_ = static_cast<std::size_t>(pages_) * layout().bytes() + sink_layout_.bytes();
    memory_ = frame_.take<std::byte>(sequence_bytes_ * static_cast<std::size_t>(shape.sequences));
    const KernelScratch::Threads threads = scratch.threads();
#pragma omp parallel for collapse(2) schedule(static)
    for (int sequence = 0; sequence < shape.sequences; ++sequence)
      for (int page = -1; page < pages_; ++page) fill(sequence, page, k, v, threads.mine());
  }

  [[nodiscard]] KvLayout layout(int slots = page_slots) const {
    return {shape_.bf16 ? KvType::bf16 : KvType::f32, shape_.kv_heads, shape_.head_size, slots};
  }

  /// The segments that queries first .. last of a sequence may see; with `everything`, whatever their window.
  void add_segments(int sequence, int first, int last, bool everything, std::vector<KvSegment>& segments) const {
    const int low = shape_.window == 0 || everything ? 0 : std::max(0, first - shape_.window + 1);
    if (shape_.sinks > 0)
      segments.push_back(
          {page(sequence, -1), sink_layout_.slots, std::min(shape_.sinks, shape_.length), 0, nullptr, true});
    for (int p = std::max(0, low - shape_.sinks) / page_slots; p < pages_; ++p) {
      const int position = shape_.sinks + p * page_slots;
      if (position > last) break;
      segments.push_back({page(sequence, p), page_slots, std::min(page_slots, shape_.length - position), position,
                          nullptr, everything});
    }
  }

 private:
  [[nodiscard]] std::byte* page(int sequence, int number) const {
    std::byte* const first = memory_ + sequence_bytes_ * static_cast<std::size_t>(sequence);
    return number < 0 ? first : first + sink_layout_.bytes() + static_cast<std::size_t>(number) * layout().bytes();
  }

  void fill(int sequence, int number, const float* k, const float* v, ScratchStack& scratch) const {
    const int position = number < 0 ? 0 : shape_.sinks + number * page_slots;
    const int count = std::min(number < 0 ? shape_.sinks : page_slots, shape_.length - position);
    const KvLayout own = number < 0 ? sink_layout_ : layout();
    if (count < own.slots || own.padded_key() > own.head_size) clear_kv(own, page(sequence, number));
    const std::ptrdiff_t stride = static_cast<std::ptrdiff_t>(shape_.kv_heads) * shape_.head_size;
    const std::ptrdiff_t offset = (static_cast<std::ptrdiff_t>(sequence) * shape_.length + position) * stride;
    store_kv(own, page(sequence, number), 0, count, k + offset, v + offset, stride, scratch);
  }

  const TrainingAttention& shape_;
  ScratchStack::Frame frame_;
  int pages_ = 0;
  KvLayout sink_layout_;
  std::size_t sequence_bytes_ = 0;
  std::byte* memory_ = nullptr;
};

static_assert(most_trained_head_size == kMostHeadSize);

void check(const TrainingAttention& shape) {
  LB_CHECK(shape.kv_heads > 0 && shape.heads % shape.kv_heads == 0 && shape.head_size % 2 == 0);
  LB_CHECK(shape.head_size <= kMostHeadSize);
}

/// All heads, those of shape.full with what they see instead.
std::vector<AttentionHead> heads_of(const TrainingAttention& shape, std::span<const KvSegment> full) {
  std::vector<AttentionHead> heads;
  for (int head = 0; head < shape.heads; ++head) {
    const int kv_head = head / (shape.heads / shape.kv_heads);
    heads.push_back({head, kv_head, kv_head, {}});
    if (has_head(shape.full, kv_head)) heads.back().segments = full;
  }
  return heads;
}

}  // namespace

void training_attention(const TrainingAttention& shape, const float* q, const float* k, const float* v, float* out,
                        float* log_sums, KernelScratch& scratch) {
  check(shape);
  const Pages pages(shape, k, v, scratch);
  // A task for each page of queries, so that none looks at pages that it can't see.
  std::vector<std::vector<KvSegment>> segments;
  std::vector<std::vector<AttentionHead>> heads;  // where shape.full isn't empty
  std::vector<AttentionTask> tasks;
  for (int sequence = 0; sequence < shape.sequences; ++sequence) {
    for (int first = 0; first < shape.length; first += page_slots) {
      const int count = std::min(page_slots, shape.length - first);
      const std::ptrdiff_t row = (static_cast<std::ptrdiff_t>(sequence) * shape.length + first) * shape.heads;
      pages.add_segments(sequence, first, first + count - 1, false, segments.emplace_back());
      tasks.push_back({q + row * shape.head_size, out + row * shape.head_size, count, first, shape.window,
                       segments.back(), log_sums + row, nullptr});
      if (shape.full == 0) continue;
      pages.add_segments(sequence, first, first + count - 1, true, segments.emplace_back());
      tasks.back().heads = heads.emplace_back(heads_of(shape, segments.back()));
    }
  }
  attention({pages.layout(), pages.layout(), shape.heads, shape.scale, shape.soft_cap}, tasks, scratch);
}

void training_attention_backward(const TrainingAttention& shape, const float* q, const float* k, const float* v,
                                 const float* out, const float* log_sums, const float* dout, float* dq, float* dk,
                                 float* dv, const float* dlog_sums, KernelScratch& scratch) {
  check(shape);
  const int ratio = shape.heads / shape.kv_heads, length = shape.length, d = shape.head_size;
  const bool split = ratio > 1 && shape.sequences * shape.kv_heads < enough_items;
  const int heads = split ? 1 : ratio;  // of an item
  const std::size_t part_floats =
      split ? static_cast<std::size_t>(shape.rows()) * static_cast<std::size_t>(shape.heads * d) : 0;
  ScratchStack::Frame frame(scratch.caller());
  float* const parts = frame.take<float>(2 * part_floats);
  std::fill_n(parts, 2 * part_floats, 0.0F);
  const auto& kernel = kernels().attention_training;
  const KernelScratch::Threads threads = scratch.threads();
#pragma omp parallel for collapse(2) schedule(dynamic)
  for (int sequence = 0; sequence < shape.sequences; ++sequence) {
    for (int head = 0; head < shape.heads; head += heads) {
      const std::ptrdiff_t first = static_cast<std::ptrdiff_t>(sequence) * length;
      const std::ptrdiff_t query = (first * shape.heads + head) * d, key = (first * shape.kv_heads + head / ratio) * d,
                           part = (first * shape.heads + static_cast<std::ptrdiff_t>(head) * length) * d;
      ScratchStack::Frame item(threads.mine());
      AttentionBackward task;
      task.bf16 = shape.bf16;
      task.head_size = d;
      task.length = length;
      task.heads = heads;
      task.window = has_head(shape.full, head / ratio) ? 0 : shape.window;
      task.sinks = shape.sinks;
      task.scale = shape.scale;
      task.soft_cap = shape.soft_cap;
      task.q = q + query;
      task.out = out + query;
      task.dout = dout + query;
      task.log_sums = log_sums + first * shape.heads + head;
      task.dlog_sums = dlog_sums == nullptr ? nullptr : dlog_sums + first * shape.heads + head;
      task.k = k + key;
      task.v = v + key;
      task.dq = dq + query;
      task.dk = split ? parts + part : dk + key;
      task.dv = split ? parts + part_floats + part : dv + key;
      task.q_stride = static_cast<std::ptrdiff_t>(shape.heads) * d;
      task.log_stride = shape.heads;
      task.kv_stride = static_cast<std::ptrdiff_t>(shape.kv_heads) * d;
      task.dkv_stride = split ? d : task.kv_stride;
      task.scratch = item.take<float>(static_cast<std::size_t>(attention_backward_scratch_floats(length, d)));
      kernel.backward(task);
    }
  }
  if (!split) return;
  add_head_parts(parts, shape.sequences, length, shape.heads, shape.kv_heads, d, dk);
  add_head_parts(parts + part_floats, shape.sequences, length, shape.heads, shape.kv_heads, d, dv);
}

}  // namespace layerboost
