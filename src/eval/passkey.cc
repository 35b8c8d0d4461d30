#include "eval/passkey.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "base/error.h"
#include "base/random.h"

namespace layerboost {
namespace {

constexpr std::string_view header =
    "There is an important info hidden inside a lot of irrelevant text. Find it and memorize it. I will quiz you about "
    "the important information there.";
constexpr std::array<std::string_view, 5> filler_sentences = {
    " The grass is green.", " The sky is blue.", " The sun is yellow.", " Here we go.", " There and back again."};
constexpr std::string_view question = " What is the pass key? The pass key is";

std::string needle(int key) { return fmt::format(" The pass key is {}. Remember it. {} is the pass key.", key, key); }

/// `size` tokens of filler that end with a whole sentence, and where sentences end in them (0 too).
struct Filler {
  std::vector<TokenId> tokens;
  std::vector<std::size_t> ends;
};

Filler make_filler(const Tokenizer& tokenizer, std::size_t size) {
  std::array<std::vector<TokenId>, filler_sentences.size()> sentences;
  for (std::size_t i = 0; i < filler_sentences.size(); ++i) sentences[i] = tokenizer.encode_rest(filler_sentences[i]);
  Filler result;
  std::size_t left = size;
  std::vector<std::size_t> order;  // of sentences, last first
  for (std::size_t i = filler_sentences.size(); left > 0; --i) {
    if (i == 0) i = filler_sentences.size();
    order.push_back(i - 1);
    left -= std::min(left, sentences[i - 1].size());
  }
  for (auto i = order.rbegin(); i != order.rend(); ++i)
    result.tokens.insert(result.tokens.end(), sentences[*i].begin(), sentences[*i].end());
  const std::size_t surplus = result.tokens.size() - size;  // the first sentence begins in its middle
  result.tokens.erase(result.tokens.begin(), result.tokens.begin() + static_cast<std::ptrdiff_t>(surplus));
  result.ends = {0};
  std::size_t end = 0;
  for (auto i = order.rbegin(); i != order.rend(); ++i) {
    end += sentences[*i].size();
    result.ends.push_back(end - surplus);
  }
  return result;
}

/// Keys of one depth stand spread over so much of the filler: at one and the same place all are found or none, and ten
/// items would tell no more than one.
constexpr double spread = 0.1;

/// Where item i of `count` stands, for a depth.
double jittered(double depth, int i, int count) {
  return std::clamp(depth + spread * ((i + 0.5) / count - 0.5), 0.0, 1.0);
}

/// The sentence end nearest to `depth` of the filler.
std::size_t place_of(const Filler& text, double depth) {
  const double wanted = depth * static_cast<double>(text.tokens.size());
  std::size_t best = 0;
  for (const std::size_t end : text.ends) {
    const auto distance = [&](std::size_t place) { return std::abs(static_cast<double>(place) - wanted); };
    if (distance(end) < distance(best)) best = end;
  }
  return best;
}

template <typename Tokens>
void append(std::vector<TokenId>& to, const Tokens& tokens) {
  to.insert(to.end(), tokens.begin(), tokens.end());
}

}  // namespace

std::vector<PasskeyItem> passkey_items(const Tokenizer& tokenizer, int length, std::span<const double> depths,
                                       int count, std::uint64_t seed, TokenId bos) {
  std::vector<TokenId> begin, end = tokenizer.encode_rest(question);
  if (bos >= 0) begin.push_back(bos);
  append(begin, tokenizer.encode(header));
  Random random = Random(seed).fork(static_cast<std::uint64_t>(length));
  std::vector<PasskeyItem> items;
  for (const double depth : depths) {
    for (int i = 0; i < count; ++i) {
      const int key = 10000 + static_cast<int>(random.below(90000));
      const std::vector<TokenId> key_text = tokenizer.encode_rest(needle(key));
      const std::size_t around = begin.size() + key_text.size() + end.size();
      if (length <= static_cast<int>(around))
        fail("`passkey` {}: must be more than {} tokens for this model", length, around);
      const Filler text = make_filler(tokenizer, static_cast<std::size_t>(length) - around);
      const std::span<const TokenId> tokens = text.tokens;
      const std::size_t place = place_of(text, jittered(depth, i, count));

      PasskeyItem& item = items.emplace_back();
      item.length = length;
      item.depth = depth;
      append(item.prompt, begin);
      append(item.prompt, tokens.first(place));
      append(item.prompt, key_text);
      append(item.prompt, tokens.subspan(place));
      append(item.prompt, end);
      item.answer = tokenizer.encode_rest(fmt::format(" {}", key));
    }
  }
  return items;
}

void check_passkey(const Tokenizer& tokenizer, int length, TokenId bos, int max_positions) {
  const PasskeyItem item = passkey_items(tokenizer, length, std::array{0.0}, 1, 0, bos).front();
  if (max_positions > 0 && item.prompt.size() + item.answer.size() > static_cast<std::size_t>(max_positions))
    fail("`passkey` {}: with the answer more than the model's {} positions", length, max_positions);
}

PasskeyResult run_passkey(Subject& subject, int length, std::uint64_t seed, TokenId bos) {
  const std::vector<PasskeyItem> items =
      passkey_items(subject.model.text(), length, passkey_depths, passkey_count, seed, bos);
  std::vector<Request> requests;
  for (const PasskeyItem& item : items) requests.push_back({item.prompt, item.answer});
  return summarize_passkey(items, score_requests(subject, requests, fmt::format("passkey at {}", length)));
}

PasskeyResult summarize_passkey(std::span<const PasskeyItem> items, std::span<const Score> scores) {
  LB_CHECK(!items.empty() && items.size() == scores.size());
  std::vector<double> acc, log_prob;
  for (const Score& score : scores) {
    acc.push_back(score.greedy ? 1 : 0);
    log_prob.push_back(score.log_likelihood);
  }
  PasskeyResult result{items[0].length, estimate(acc), estimate(log_prob), {}};
  for (std::size_t first = 0; first < items.size();) {
    std::size_t end = first;
    while (end < items.size() && items[end].depth == items[first].depth) ++end;
    const auto part = [&](const std::vector<double>& values) {
      return estimate(std::span(values).subspan(first, end - first));
    };
    result.depths.push_back({items[first].depth, part(acc), part(log_prob)});
    first = end;
  }
  return result;
}

}  // namespace layerboost
