#include "text/merge_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <functional>
#include <queue>
#include <span>

#include "base/error.h"
#include "base/in_quotes.h"

namespace layerboost {

IdsByText ids_by_text(const std::vector<std::string>& tokens) {
  IdsByText ids;
  ids.reserve(tokens.size());
  for (std::size_t id = 0; id < tokens.size(); ++id) ids.emplace(tokens[id], static_cast<TokenId>(id));
  return ids;
}

MergeTable::MergeTable(std::size_t merges)
    : shift_(64U - static_cast<unsigned>(std::bit_width(2 * merges + 1))), slots_(std::size_t{1} << (64U - shift_)) {}

MergeTable::MergeTable(const IdsByText& ids, const std::vector<std::string>& merges) : MergeTable(merges.size()) {
  std::string joined;
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const std::string_view merge = merges[rank];
    const std::size_t space = merge.find(' ');
    if (space == 0 || space == std::string_view::npos || space + 1 == merge.size() ||
        merge.find(' ', space + 1) != std::string_view::npos)
      fail("tokenizer: merge {} is {}; expected two tokens with a space between them", rank, in_quotes(merge));
    const std::string_view left = merge.substr(0, space), right = merge.substr(space + 1);
    joined.assign(left).append(right);
    const auto id = [&](std::string_view token) {
      const auto found = ids.find(token);
      if (found == ids.end())
        fail("tokenizer: merge {} ({}) needs a token {} that is not there", rank, in_quotes(merge), in_quotes(token));
      return found->second;
    };
    insert(id(left), id(right), {static_cast<std::uint32_t>(rank), id(joined)});
  }
}

std::size_t MergeTable::slot_of(std::uint64_t pair) const {
  constexpr std::uint64_t golden = 0x9E3779B97F4A7C15U;  // 2^64 / golden ratio: Fibonacci hashing
  std::size_t slot = (pair * golden) >> shift_;
  while (slots_[slot].pair != pair && slots_[slot].pair != empty) slot = (slot + 1) & (slots_.size() - 1);
  return slot;
}

namespace {

std::uint64_t pair_of(TokenId left, TokenId right) {
  return (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32U) | static_cast<std::uint32_t>(right);
}

}  // namespace

void MergeTable::insert(TokenId left, TokenId right, Merge merge) {
  const std::uint64_t pair = pair_of(left, right);
  slots_[slot_of(pair)] = {pair, merge};
}

MergeTable::Merge MergeTable::find(TokenId left, TokenId right) const {
  return slots_[slot_of(pair_of(left, right))].merge;
}

void MergeTable::merge_from(std::size_t begin, std::vector<TokenId>& ids) const {
  if (ids.size() - begin <= longest_scan)
    merge_by_scan(begin, ids);
  else
    merge_by_heap(begin, ids);
}

void MergeTable::merge_by_scan(std::size_t begin, std::vector<TokenId>& ids) const {
  std::array<Merge, longest_scan> merges;  // of ids[begin + i] and its right neighbour
  const auto refresh = [&](std::size_t i) { merges[i] = find(ids[begin + i], ids[begin + i + 1]); };
  std::size_t pairs = ids.size() - begin < 2 ? 0 : ids.size() - begin - 1;
  for (std::size_t i = 0; i < pairs; ++i) refresh(i);
  while (pairs > 0) {
    const auto first = merges.begin(), last = first + static_cast<std::ptrdiff_t>(pairs);
    const auto best = std::min_element(first, last, [](const auto& a, const auto& b) { return a.rank < b.rank; });
    if (best->rank == no_merge) return;
    const auto at = static_cast<std::size_t>(best - first);
    ids[begin + at] = best->merged;
    ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(begin + at + 1));
    std::copy(best + 1, last, best);
    --pairs;
    if (at > 0) refresh(at - 1);
    if (at < pairs) refresh(at);
  }
}

void MergeTable::merge_by_heap(std::size_t begin, std::vector<TokenId>& ids) const {
  constexpr std::uint32_t none = 0xFFFFFFFF;
  struct Symbol {
    TokenId id;  // -1: merged into its left neighbour
    std::uint32_t left, right;
  };
  std::vector<Symbol> symbols;
  symbols.reserve(ids.size() - begin);
  for (const TokenId id : std::span(ids).subspan(begin)) {
    const auto at = static_cast<std::uint32_t>(symbols.size());
    symbols.push_back({id, at == 0 ? none : at - 1, at + 1});
  }
  symbols.back().right = none;

  // (rank << 32 | place): the lowest rank first, the leftmost of equals.
  std::priority_queue<std::uint64_t, std::vector<std::uint64_t>, std::greater<>> candidates;
  const auto propose = [&](std::uint32_t left) {
    if (left == none || symbols[left].right == none) return;
    const std::uint32_t rank = find(symbols[left].id, symbols[symbols[left].right].id).rank;
    if (rank != no_merge) candidates.push((static_cast<std::uint64_t>(rank) << 32U) | left);
  };
  for (std::uint32_t i = 0; i < symbols.size(); ++i) propose(i);

  while (!candidates.empty()) {
    const auto rank = static_cast<std::uint32_t>(candidates.top() >> 32U);
    const auto at = static_cast<std::uint32_t>(candidates.top());
    candidates.pop();
    Symbol& symbol = symbols[at];
    if (symbol.id < 0 || symbol.right == none) continue;
    const Merge merge = find(symbol.id, symbols[symbol.right].id);
    if (merge.rank != rank) continue;  // a neighbour has merged since
    Symbol& right = symbols[symbol.right];
    symbol.id = merge.merged;
    right.id = -1;
    symbol.right = right.right;
    if (symbol.right != none) symbols[symbol.right].left = at;
    propose(symbol.left);
    propose(at);
  }
  ids.resize(begin);
  for (const Symbol& symbol : symbols)
    if (symbol.id >= 0) ids.push_back(symbol.id);
}

}  // namespace layerboost
