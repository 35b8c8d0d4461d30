#include "kernels/attention.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <vector>

#include "base/error.h"
#include "kernels/activations.h"
#include "kernels/dispatch.h"

namespace layerboost {
namespace {

// A tile's queries and sums stay in L1 beside a page of keys and values.
constexpr int kTileRows = 48;
// Tasks of a single tile are split into ranges of about so many slots. It depends on nothing but the task, so that
// neither the number of threads nor the rest of the batch changes a result.
constexpr int kRangeSlots = 512;
// Below so much work the caller does it all: starting other threads costs 3 us.
constexpr double kWorthThreads = 10e-6;

/// What one thread does at a time.
struct Item {
  const AttentionTask* task;
  int kv_head;
  int first_token, tokens;
  int first_segment, segments;
  std::ptrdiff_t partial;  // its place among the partial sums; -1: it writes the output itself
  double seconds;          // estimated
};

/// The ranges of one tile that have to be put together.
struct Merge {
  const AttentionTask* task;
  int kv_head;
  int parts;
  std::ptrdiff_t partial;  // of the first; the others follow
};

/// A plan of one call. Kept by each calling thread so that calls don't allocate.
struct Schedule {
  std::vector<Item> items;
  std::vector<Merge> merges;
  std::vector<int> cuts;
  AlignedBuffer partials;
};

/// How many of a segment's slots the queries at first .. last look at.
int seen_slots(const KvSegment& segment, int first, int last, int window) {
  if (segment.positions != nullptr) return segment.count;
  const int low = window == 0 || segment.pinned ? 0 : std::max(0, first - window + 1);
  return std::max(0,
                  std::min(segment.first_position + segment.count, last + 1) - std::max(segment.first_position, low));
}

int seen_slots(std::span<const KvSegment> segments, int first, int last, int window) {
  int total = 0;
  for (const KvSegment& segment : segments) total += seen_slots(segment, first, last, window);
  return total;
}

/// Fills `cuts` with the ends of ranges of segments of about kRangeSlots seen slots each.
void cut_into_ranges(const AttentionTask& task, std::vector<int>& cuts) {
  const int first = task.first_position, last = first + task.count - 1;
  int left = seen_slots(task.segments, first, last, task.window), range = 0;
  cuts.clear();
  for (std::size_t s = 0; s < task.segments.size(); ++s) {
    const int slots = seen_slots(task.segments[s], first, last, task.window);
    range += slots;
    left -= slots;
    if (range >= kRangeSlots && left >= kRangeSlots / 2) {
      cuts.push_back(static_cast<int>(s) + 1);
      range = 0;
    }
  }
  cuts.push_back(static_cast<int>(task.segments.size()));
}

class Call {
 public:
  Call(const KvLayout& layout, int heads, float scale)
      : layout_(layout), heads_(heads), group_(heads / layout.kv_heads), scale_(scale), padded_(layout.padded_head()) {}

  void plan(std::span<const AttentionTask> tasks, Schedule& schedule) const {
    schedule.items.clear();
    schedule.merges.clear();
    std::ptrdiff_t partial_floats = 0;
    const int tile_tokens = std::max(1, kTileRows / group_);
    for (const AttentionTask& task : tasks) {
      if (task.count <= tile_tokens) {
        plan_ranges(task, schedule, partial_floats);
      } else {
        for (int token = 0; token < task.count; token += tile_tokens) {
          add_items(task, token, std::min(tile_tokens, task.count - token), 0, static_cast<int>(task.segments.size()),
                    schedule);
        }
      }
    }
    schedule.partials.reserve_as<float>(static_cast<std::size_t>(partial_floats));
    // Heavy ones first, so that threads end together.
    std::sort(schedule.items.begin(), schedule.items.end(),
              [](const Item& a, const Item& b) { return a.seconds > b.seconds; });
  }

  void run(Schedule& schedule) const {
    double seconds = 0;
    for (const Item& item : schedule.items) seconds += item.seconds;
    const bool parallel = schedule.items.size() > 1 && seconds > kWorthThreads;
    const AttentionKernels& kernel = kernels().attention;
    std::atomic<std::size_t> taken = 0;
#pragma omp parallel if (parallel)
    {
      // Each thread takes the next item before it starts on one, to fetch its keys ahead.
      const std::size_t count = schedule.items.size();
      for (std::size_t i = taken++, next = taken++; i < count; i = next, next = taken++) {
        run_item(kernel, schedule.items[i], next < count ? &schedule.items[next] : nullptr, schedule);
      }
#pragma omp barrier
#pragma omp for schedule(static)
      for (std::size_t i = 0; i < schedule.merges.size(); ++i) merge(schedule.merges[i], schedule);
    }
  }

 private:
  [[nodiscard]] std::ptrdiff_t partial_floats(int rows) const {
    return static_cast<std::ptrdiff_t>(rows) * (padded_ + 3);
  }

  /// A task of a single tile.
  void plan_ranges(const AttentionTask& task, Schedule& schedule, std::ptrdiff_t& partial_floats_used) const {
    cut_into_ranges(task, schedule.cuts);
    const int parts = static_cast<int>(schedule.cuts.size());
    int begin = 0;
    for (int part = 0; part < parts; ++part) {
      const int end = schedule.cuts[static_cast<std::size_t>(part)];
      const std::size_t first_item = schedule.items.size();
      add_items(task, 0, task.count, begin, end - begin, schedule);
      begin = end;
      if (parts == 1) continue;
      for (int g = 0; g < layout_.kv_heads; ++g) {
        schedule.items[first_item + static_cast<std::size_t>(g)].partial =
            partial_floats_used + (static_cast<std::ptrdiff_t>(g) * parts + part) * partial_floats(task.count * group_);
      }
    }
    if (parts == 1) return;
    for (int g = 0; g < layout_.kv_heads; ++g) {
      schedule.merges.push_back({&task, g, parts, partial_floats_used});
      partial_floats_used += parts * partial_floats(task.count * group_);
    }
  }

  void add_items(const AttentionTask& task, int token, int tokens, int first_segment, int segments,
                 Schedule& schedule) const {
    const int first = task.first_position + token;
    const double slots =
        seen_slots(task.segments.subspan(static_cast<std::size_t>(first_segment), static_cast<std::size_t>(segments)),
                   first, first + tokens - 1, task.window);
    // Roughly what a core of today reads (15 GB/s) and multiplies (100 G/s).
    const double bytes = slots * static_cast<double>(layout_.slot_bytes());
    const double products = slots * 2 * padded_ * tokens * group_;
    const double seconds = std::max(bytes / 15e9, products / 100e9);
    for (int g = 0; g < layout_.kv_heads; ++g) {
      schedule.items.push_back({&task, g, token, tokens, first_segment, segments, -1, seconds});
    }
  }

  /// next: what this thread does after it; nullptr: nothing.
  void run_item(const AttentionKernels& kernel, const Item& item, const Item* next, const Schedule& schedule) const {
    thread_local AlignedBuffer scratch;
    const AttentionTask& task = *item.task;
    AttentionTile tile;
    tile.type = layout_.type;
    tile.head_size = layout_.head_size;
    tile.segments = task.segments.data() + item.first_segment;
    tile.segment_count = item.segments;
    tile.kv_head = item.kv_head;
    if (next != nullptr) {
      tile.next_segments = next->task->segments.data() + next->first_segment;
      tile.next_segment_count = next->segments;
      tile.next_kv_head = next->kv_head;
    }
    tile.token_stride = static_cast<std::ptrdiff_t>(heads_) * layout_.head_size;
    const std::ptrdiff_t offset = item.first_token * tile.token_stride + head_offset(item.kv_head);
    tile.q = task.q + offset;
    tile.out = task.out + offset;
    tile.tokens = item.tokens;
    tile.heads = group_;
    const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(item.first_token) * heads_ + item.kv_head * group_;
    tile.log_sums = task.log_sums == nullptr ? nullptr : task.log_sums + at;
    tile.maxima = task.maxima == nullptr ? nullptr : task.maxima + at;
    tile.log_stride = heads_;
    tile.track_maxima = task.maxima != nullptr;
    tile.first_position = task.first_position + item.first_token;
    tile.window = task.window;
    tile.scale = scale_;
    tile.scratch =
        scratch.reserve_as<float>(static_cast<std::size_t>(attention_scratch_floats(item.tokens * group_, padded_)));
    tile.partial = item.partial < 0 ? nullptr : reinterpret_cast<float*>(schedule.partials.data()) + item.partial;
    kernel.attend(tile);
  }

  /// out = sum over parts of 2^(maximum - M) output / sum over parts of 2^(maximum - M) sum, M the largest maximum.
  void merge(const Merge& merge, const Schedule& schedule) const {
    const AttentionTask& task = *merge.task;
    const int d = layout_.head_size, rows = task.count * group_;
    const float* partials = reinterpret_cast<const float*>(schedule.partials.data()) + merge.partial;
    const std::ptrdiff_t stride = partial_floats(rows), maxima = static_cast<std::ptrdiff_t>(rows) * padded_;
    for (int row = 0; row < rows; ++row) {
      float most = partials[maxima + row];
      for (int part = 1; part < merge.parts; ++part) most = std::max(most, partials[part * stride + maxima + row]);
      float* out = task.out + static_cast<std::ptrdiff_t>(row / group_) * heads_ * d + head_offset(merge.kv_head) +
                   static_cast<std::ptrdiff_t>(row % group_) * d;
      std::fill_n(out, d, 0.0f);
      float total = 0;
      for (int part = 0; part < merge.parts; ++part) {
        const float* own = partials + part * stride;
        const float factor = std::exp2(own[maxima + row] - most);
        total += factor * own[maxima + rows + row];
        for (int j = 0; j < d; ++j) out[j] += factor * own[static_cast<std::ptrdiff_t>(row) * padded_ + j];
      }
      for (int j = 0; j < d; ++j) out[j] /= total;
      const std::ptrdiff_t at = row / group_ * heads_ + merge.kv_head * group_ + row % group_;
      if (task.log_sums != nullptr) task.log_sums[at] = most + std::log2(total);
      if (task.maxima == nullptr) continue;
      task.maxima[at] = partials[maxima + 2 * rows + row];
      for (int part = 1; part < merge.parts; ++part)
        task.maxima[at] = std::max(task.maxima[at], partials[part * stride + maxima + 2 * rows + row]);
    }
  }

  [[nodiscard]] std::ptrdiff_t head_offset(int kv_head) const {
    return static_cast<std::ptrdiff_t>(kv_head) * group_ * layout_.head_size;
  }

  const KvLayout& layout_;
  int heads_, group_;
  float scale_;
  int padded_;
};

}  // namespace

void attention(const KvLayout& layout, int heads, float scale, std::span<const AttentionTask> tasks) {
  LB_CHECK(layout.kv_heads > 0 && heads % layout.kv_heads == 0);
  LB_CHECK(layout.type != KvType::int8 || layout.head_size <= 512);
  thread_local Schedule schedule;
  const Call call(layout, heads, scale);
  call.plan(tasks, schedule);
  call.run(schedule);
}

}  // namespace layerboost
