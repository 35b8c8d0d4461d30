#include "kernels/attention.h"

#include <omp.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <memory_resource>
#include <vector>

#include "base/error.h"
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

/// Heads of attention that read the same keys and values: they share tiles.
struct Group {
  int key, value;
  int first, count;  // of Schedule::heads
};

/// Groups that follow each other, see the same segments, and have as many heads each: they are planned alike.
struct Band {
  std::span<const KvSegment> segments;  // empty: the task's
  int first, count;                     // of Schedule::groups
  int heads;                            // of each group
};

/// What one thread does at a time.
struct Item {
  const AttentionTask* task;
  int group;  // of Schedule::groups
  int first_token, tokens;
  std::span<const KvSegment> segments;
  std::ptrdiff_t partial;  // its place among the partial sums; -1: it writes the output itself
  double seconds;          // estimated
};

/// The ranges of one tile that have to be put together.
struct Merge {
  const AttentionTask* task;
  int group;
  int parts;
  std::ptrdiff_t partial;  // of the first; the others follow
};

/// A plan of one call, in scratch memory so that calls don't allocate.
struct Schedule {
  explicit Schedule(ScratchStack::Frame& own) : frame(own) {}

  ScratchStack::Frame& frame;
  std::pmr::vector<AttentionTileHead> heads{&frame};
  std::pmr::vector<Group> groups{&frame};
  std::pmr::vector<Band> bands{&frame};
  std::pmr::vector<Item> items{&frame};
  std::pmr::vector<Merge> merges{&frame};
  std::pmr::vector<int> cuts{&frame};
  float* partials = nullptr;
};

bool same_span(auto a, auto b) { return a.data() == b.data() && a.size() == b.size(); }

bool read_the_same(const AttentionHead& a, const AttentionHead& b) {
  return a.key == b.key && a.value == b.value && same_span(a.segments, b.segments);
}

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
void cut_into_ranges(const AttentionTask& task, std::span<const KvSegment> segments, std::pmr::vector<int>& cuts) {
  const int first = task.first_position, last = first + task.count - 1;
  int left = seen_slots(segments, first, last, task.window), range = 0;
  cuts.clear();
  for (std::size_t s = 0; s < segments.size(); ++s) {
    const int slots = seen_slots(segments[s], first, last, task.window);
    range += slots;
    left -= slots;
    if (range >= kRangeSlots && left >= kRangeSlots / 2) {
      cuts.push_back(static_cast<int>(s) + 1);
      range = 0;
    }
  }
  cuts.push_back(static_cast<int>(segments.size()));
}

class Call {
 public:
  explicit Call(const AttentionShape& shape)
      : shape_(shape),
        keys_(shape.keys.keys()),
        values_(shape.values.values()),
        padded_key_(shape.keys.padded_key()),
        padded_value_(shape.values.padded_value()) {}

  void plan(std::span<const AttentionTask> tasks, Schedule& schedule) const {
    // Room for what short calls have, whose lists would grow again and again.
    schedule.heads.reserve(static_cast<std::size_t>(shape_.heads));
    schedule.groups.reserve(static_cast<std::size_t>(shape_.keys.kv_heads));
    schedule.items.reserve(32 + tasks.size() * static_cast<std::size_t>(shape_.keys.kv_heads));
    schedule.merges.reserve(static_cast<std::size_t>(shape_.keys.kv_heads));
    std::ptrdiff_t partial_floats = 0;
    std::size_t first_band = 0;
    const AttentionTask* before = nullptr;
    for (const AttentionTask& task : tasks) {
      if (before == nullptr || !same_span(before->heads, task.heads)) {
        first_band = schedule.bands.size();
        if (task.heads.empty()) {
          add_plain_heads(schedule);
        } else {
          add_heads(task.heads, schedule);
        }
      }
      before = &task;
      for (std::size_t b = first_band; b < schedule.bands.size(); ++b) {
        Band band = schedule.bands[b];
        if (band.segments.empty()) band.segments = task.segments;
        plan_band(task, band, schedule, partial_floats);
      }
    }
    schedule.partials = schedule.frame.take<float>(static_cast<std::size_t>(partial_floats));
    // Heavy ones first, so that threads end together.
    std::sort(schedule.items.begin(), schedule.items.end(),
              [](const Item& a, const Item& b) { return a.seconds > b.seconds; });
  }

  void run(std::span<const AttentionTask> tasks, const Schedule& schedule, KernelScratch& scratch) const {
    double seconds = 0;
    for (const Item& item : schedule.items) seconds += item.seconds;
    const bool parallel = schedule.items.size() > 1 && seconds > kWorthThreads;
    const bool weights = std::ranges::any_of(tasks, [](const AttentionTask& task) { return task.weights != nullptr; });
    const AttentionKernels& kernel = kernels().attention;
    std::atomic<std::size_t> taken = 0;
    const KernelScratch::Threads threads = scratch.threads();
#pragma omp parallel if (parallel)
    {
      if (weights) {
#pragma omp for
        for (std::size_t i = 0; i < tasks.size(); ++i) clear_weights(tasks[i]);
      }
      // Each thread takes the next item before it starts on one, to fetch its keys ahead.
      const std::size_t count = schedule.items.size();
      for (std::size_t i = taken++, next = taken++; i < count; i = next, next = taken++) {
        run_item(kernel, schedule.items[i], next < count ? &schedule.items[next] : nullptr, schedule, threads.mine());
      }
#pragma omp barrier
#pragma omp for schedule(static)
      for (std::size_t i = 0; i < schedule.merges.size(); ++i) merge(kernel, schedule.merges[i], schedule);
    }
  }

 private:
  /// A, the number of a task's heads of attention.
  [[nodiscard]] int out_heads(const AttentionTask& task) const {
    return task.heads.empty() ? shape_.heads : static_cast<int>(task.heads.size());
  }
  static std::ptrdiff_t positions(const AttentionTask& task) { return task.first_position + task.count; }
  [[nodiscard]] std::ptrdiff_t partial_floats(int rows) const {
    return static_cast<std::ptrdiff_t>(rows) * (padded_value_ + 3);
  }

  /// Adds the heads of a task without a list: query head n with KV head n / (H / G).
  void add_plain_heads(Schedule& schedule) const {
    const int kv_heads = shape_.keys.kv_heads, ratio = shape_.heads / kv_heads;
    LB_CHECK(shape_.heads % kv_heads == 0 && shape_.values.kv_heads == kv_heads);
    schedule.bands.push_back({{}, static_cast<int>(schedule.groups.size()), kv_heads, ratio});
    for (int g = 0; g < kv_heads; ++g)
      schedule.groups.push_back({g, g, static_cast<int>(schedule.heads.size()) + g * ratio, ratio});
    for (int n = 0; n < shape_.heads; ++n) schedule.heads.push_back({n, n});
  }

  void add_heads(std::span<const AttentionHead> list, Schedule& schedule) const {
    const std::size_t first_band = schedule.bands.size();
    for (std::size_t i = 0; i < list.size(); ++i) {
      const AttentionHead& head = list[i];
      LB_CHECK(head.query >= 0 && head.query < shape_.heads && head.key >= 0 && head.key < shape_.keys.kv_heads &&
               head.value >= 0 && head.value < shape_.values.kv_heads);
      const auto same = [&](const AttentionHead& other) { return read_the_same(head, other); };
      if (std::ranges::any_of(list.first(i), same)) continue;  // has joined an earlier one's group
      const int first = static_cast<int>(schedule.heads.size()), group = static_cast<int>(schedule.groups.size());
      for (std::size_t j = i; j < list.size(); ++j)
        if (same(list[j])) schedule.heads.push_back({list[j].query, static_cast<int>(j)});
      const int count = static_cast<int>(schedule.heads.size()) - first;
      schedule.groups.push_back({head.key, head.value, first, count});
      if (schedule.bands.size() > first_band && schedule.bands.back().heads == count &&
          same_span(schedule.bands.back().segments, head.segments)) {
        ++schedule.bands.back().count;
      } else {
        schedule.bands.push_back({head.segments, group, 1, count});
      }
    }
  }

  void plan_band(const AttentionTask& task, const Band& band, Schedule& schedule,
                 std::ptrdiff_t& partial_floats_used) const {
    const int tile_tokens = std::max(1, kTileRows / band.heads);
    if (task.count <= tile_tokens) {
      plan_ranges(task, band, schedule, partial_floats_used);
    } else {
      for (int token = 0; token < task.count; token += tile_tokens)
        add_items(task, band, token, std::min(tile_tokens, task.count - token), band.segments, schedule);
    }
  }

  /// Cuts the segments of a task of a single tile into ranges, whose results are merged.
  void plan_ranges(const AttentionTask& task, const Band& band, Schedule& schedule,
                   std::ptrdiff_t& partial_floats_used) const {
    cut_into_ranges(task, band.segments, schedule.cuts);
    const int parts = static_cast<int>(schedule.cuts.size());
    const std::ptrdiff_t floats = partial_floats(task.count * band.heads);
    std::size_t begin = 0;
    for (int part = 0; part < parts; ++part) {
      const auto end = static_cast<std::size_t>(schedule.cuts[static_cast<std::size_t>(part)]);
      const std::size_t first_item = schedule.items.size();
      add_items(task, band, 0, task.count, band.segments.subspan(begin, end - begin), schedule);
      begin = end;
      if (parts == 1) continue;
      for (int g = 0; g < band.count; ++g) {
        schedule.items[first_item + static_cast<std::size_t>(g)].partial =
            partial_floats_used + (static_cast<std::ptrdiff_t>(g) * parts + part) * floats;
      }
    }
    if (parts == 1) return;
    for (int g = 0; g < band.count; ++g) {
      schedule.merges.push_back({&task, band.first + g, parts, partial_floats_used});
      partial_floats_used += parts * floats;
    }
  }

  /// One for each of the band's groups.
  void add_items(const AttentionTask& task, const Band& band, int token, int tokens,
                 std::span<const KvSegment> segments, Schedule& schedule) const {
    const int first = task.first_position + token;
    const double slots = seen_slots(segments, first, first + tokens - 1, task.window);
    // Roughly what a core of today reads (15 GB/s) and multiplies (100 G/s).
    const double bytes = slots * (shape_.keys.key_bytes() + shape_.values.value_bytes());
    const double products = slots * (padded_key_ + padded_value_) * tokens * band.heads;
    const double seconds = std::max(bytes / 15e9, products / 100e9);
    for (int g = 0; g < band.count; ++g)
      schedule.items.push_back({&task, band.first + g, token, tokens, segments, -1, seconds});
  }

  static AttentionReads reads_of(const Item& item, const Schedule& schedule) {
    const Group& group = schedule.groups[static_cast<std::size_t>(item.group)];
    return {item.segments.data(), static_cast<int>(item.segments.size()), group.key, group.value};
  }

  /// next: what this thread does after it; nullptr: nothing.
  void run_item(const AttentionKernels& kernel, const Item& item, const Item* next, const Schedule& schedule,
                ScratchStack& scratch) const {
    ScratchStack::Frame frame(scratch);
    const AttentionTask& task = *item.task;
    const Group& group = schedule.groups[static_cast<std::size_t>(item.group)];
    AttentionTile tile;
    tile.type = shape_.keys.type;
    tile.keys = keys_;
    tile.values = values_;
    tile.reads = reads_of(item, schedule);
    if (next != nullptr) tile.next = reads_of(*next, schedule);
    tile.query_heads = shape_.heads;
    tile.out_heads = out_heads(task);
    const std::ptrdiff_t first_query = static_cast<std::ptrdiff_t>(item.first_token) * tile.query_heads;
    const std::ptrdiff_t first_out = static_cast<std::ptrdiff_t>(item.first_token) * tile.out_heads;
    tile.q = task.q + first_query * keys_.head_size;
    tile.out = task.out + first_out * values_.head_size;
    tile.tokens = item.tokens;
    tile.heads = group.count;
    tile.list = schedule.heads.data() + group.first;
    tile.log_sums = task.log_sums == nullptr ? nullptr : task.log_sums + first_out;
    tile.maxima = task.maxima == nullptr ? nullptr : task.maxima + first_out;
    tile.track_maxima = task.maxima != nullptr;
    tile.weights_size = positions(task);
    tile.weights = task.weights == nullptr ? nullptr : task.weights + first_out * tile.weights_size;
    tile.first_position = task.first_position + item.first_token;
    tile.window = task.window;
    tile.scale = shape_.scale;
    tile.soft_cap = shape_.soft_cap;
    tile.scratch = frame.take<float>(
        static_cast<std::size_t>(attention_scratch_floats(item.tokens * group.count, padded_key_, padded_value_)));
    tile.partial = item.partial < 0 ? nullptr : schedule.partials + item.partial;
    kernel.attend(tile);
  }

  /// out = sum over parts of 2^(maximum - M) output / sum over parts of 2^(maximum - M) sum, M the largest maximum.
  void merge(const AttentionKernels& kernel, const Merge& merge, const Schedule& schedule) const {
    const AttentionTask& task = *merge.task;
    const Group& group = schedule.groups[static_cast<std::size_t>(merge.group)];
    const int d = values_.head_size, rows = task.count * group.count;
    const float* partials = schedule.partials + merge.partial;
    const std::ptrdiff_t stride = partial_floats(rows), maxima = static_cast<std::ptrdiff_t>(rows) * padded_value_;
    for (int row = 0; row < rows; ++row) {
      float most = partials[maxima + row];
      for (int part = 1; part < merge.parts; ++part) most = std::max(most, partials[part * stride + maxima + row]);
      const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(row / group.count) * out_heads(task) +
                                schedule.heads[static_cast<std::size_t>(group.first + row % group.count)].out;
      float* out = task.out + at * d;
      std::fill_n(out, d, 0.0f);
      float total = 0;
      for (int part = 0; part < merge.parts; ++part) {
        const float* own = partials + part * stride;
        const float factor = std::exp2(own[maxima + row] - most);
        total += factor * own[maxima + rows + row];
        for (int j = 0; j < d; ++j) out[j] += factor * own[static_cast<std::ptrdiff_t>(row) * padded_value_ + j];
      }
      for (int j = 0; j < d; ++j) out[j] /= total;
      const float log_sum = most + std::log2(total);
      if (task.log_sums != nullptr) task.log_sums[at] = log_sum;
      if (task.weights != nullptr) kernel.finish_weights(task.weights + at * positions(task), positions(task), log_sum);
      if (task.maxima == nullptr) continue;
      task.maxima[at] = partials[maxima + 2 * rows + row];
      for (int part = 1; part < merge.parts; ++part)
        task.maxima[at] = std::max(task.maxima[at], partials[part * stride + maxima + 2 * rows + row]);
    }
  }

  void clear_weights(const AttentionTask& task) const {
    if (task.weights != nullptr)
      std::fill_n(task.weights, task.count * out_heads(task) * positions(task), kUnseenScore);
  }

  const AttentionShape& shape_;
  KvPart keys_, values_;
  int padded_key_, padded_value_;
};

}  // namespace

void attention(const AttentionShape& shape, std::span<const AttentionTask> tasks, KernelScratch& scratch) {
  LB_CHECK(shape.keys.type == shape.values.type && shape.keys.has_keys() && shape.values.has_values());
  LB_CHECK(shape.keys.type != KvType::int8 || shape.keys.head_size <= most_int8_head_size);
  ScratchStack::Frame frame(scratch.caller());
  Schedule schedule(frame);
  const Call call(shape);
  call.plan(tasks, schedule);
  call.run(tasks, schedule, scratch);
}

}  // namespace layerboost
