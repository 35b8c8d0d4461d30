#include "engine/prefix_cache.h"

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace layerboost {
namespace {

constexpr std::size_t most_remembered = std::size_t{1} << 17;

/// splitmix64's output function, over a chain.
std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  std::uint64_t z = hash * 0x9e3779b97f4a7c15 + value + 0x7f4a7c15;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

}  // namespace

std::vector<std::uint64_t> PrefixCache::hashes(std::span<const TokenId> tokens) {
  std::vector<std::uint64_t> result = {0};
  for (; tokens.size() >= page; tokens = tokens.subspan(page)) {
    std::uint64_t hash = result.back();
    for (const TokenId token : tokens.first(page)) hash = mix(hash, static_cast<std::uint64_t>(token));
    result.push_back(hash);
  }
  return result;
}

const Sequence* PrefixCache::find(std::span<const MixerList* const> plans, std::span<const TokenId> tokens,
                                  bool as_read, int rotations) {
  const std::vector<std::uint64_t> pages = hashes(tokens);
  for (auto hash = pages.rbegin(); hash != pages.rend(); ++hash) {
    auto best = snapshots_.end();
    std::pair<std::size_t, std::ptrdiff_t> best_rank;  // length, and place in `plans`
    const auto [first, last] = by_hash_.equal_range(*hash);
    for (auto entry = first; entry != last; ++entry) {
      const std::vector<TokenId>& known = entry->second->tokens;
      const auto plan = std::ranges::find(plans, &entry->second->sequence.mixers());
      if (plan == plans.end() || known.size() >= tokens.size()) continue;
      if (as_read && entry->second->sequence.folded()) continue;
      if (entry->second->sequence.rotations() != rotations) continue;
      const std::pair rank(known.size(), plan - plans.begin());
      if ((best == snapshots_.end() || rank > best_rank) &&
          std::equal(known.rbegin(), known.rend(), tokens.first(known.size()).rbegin())) {
        best = entry->second;
        best_rank = rank;
      }
    }
    if (best == snapshots_.end()) continue;
    snapshots_.splice(snapshots_.begin(), snapshots_, best);
    return &best->sequence;
  }
  return nullptr;
}

std::vector<int> PrefixCache::snapshot_points(std::span<const TokenId> prompt, int from) {
  const int last = (static_cast<int>(prompt.size()) - 1) / page * page;
  const std::vector<std::uint64_t> pages = hashes(prompt.first(static_cast<std::size_t>(last)));
  std::vector<int> result;
  for (int boundary = interval; boundary <= last; boundary += interval) result.push_back(boundary);
  const auto parting = std::find_if(pages.rbegin(), pages.rend(), [&](std::uint64_t hash) { return remembers(hash); });
  result.push_back(static_cast<int>(pages.rend() - parting - 1) * page);
  if (static_cast<int>(prompt.size()) >= least_prompt) result.push_back(last);
  remember(std::span(pages).subspan(1));

  std::sort(result.begin(), result.end());
  result.erase(std::unique(result.begin(), result.end()), result.end());
  std::erase_if(result, [&](int boundary) { return boundary <= from; });
  return result;
}

void PrefixCache::remember(std::span<const std::uint64_t> hashes) {
  if (recent_.size() > most_remembered) older_ = std::exchange(recent_, {});
  recent_.insert(hashes.begin(), hashes.end());
}

void PrefixCache::store(std::span<const TokenId> tokens, const Sequence& sequence) {
  LB_CHECK(std::ssize(tokens) == sequence.length());
  LB_CHECK(sequence.partner() == nullptr || sequence.partner()->length() == sequence.length());
  if (tokens.size() < page) return;
  const std::uint64_t hash = hashes(tokens).back();
  const auto [first, last] = by_hash_.equal_range(hash);
  for (auto entry = first; entry != last; ++entry)
    if (&entry->second->sequence.mixers() == &sequence.mixers() &&
        entry->second->sequence.folded() == sequence.folded() &&
        entry->second->sequence.rotations() == sequence.rotations() &&
        std::ranges::equal(entry->second->tokens, tokens))
      return;
  snapshots_.push_front({{tokens.begin(), tokens.end()}, hash, sequence});
  by_hash_.emplace(hash, snapshots_.begin());
  if (snapshots_.size() > most_snapshots) evict();
}

bool PrefixCache::evict() {
  if (snapshots_.empty()) return false;
  const auto last = std::prev(snapshots_.end());
  const auto [first, end] = by_hash_.equal_range(last->hash);
  by_hash_.erase(std::find_if(first, end, [&](const auto& entry) { return entry.second == last; }));
  snapshots_.pop_back();
  return true;
}

}  // namespace layerboost
