#include "heal/held_out.h"

#include <algorithm>
#include <cmath>

#include "base/error.h"
#include "base/interrupt.h"
#include "eval/statistics.h"
#include "generate/bos.h"

namespace layerboost {
namespace {

constexpr const char* stopped = "stopped; the same command goes on from the last checkpoint";

// Room for the digits of a key.
constexpr int answer_tokens = 16;

std::vector<PasskeyItem> make_passkeys(const Model& model, int length, int count, std::uint64_t seed) {
  const int depths = static_cast<int>(std::size(passkey_depths));
  if (count <= 0 || length <= answer_tokens) return {};
  try {
    const TokenId bos = bos_token(model.text(), BosMode::automatic);
    check_passkey(model.text(), length - answer_tokens, bos, model.config.max_positions);
    auto items =
        passkey_items(model.text(), length - answer_tokens, passkey_depths, (count + depths - 1) / depths, seed, bos);
    const auto unanswerable = [](const PasskeyItem& item) { return item.answer.empty(); };
    if (std::any_of(items.begin(), items.end(), unanswerable)) items.clear();  // a vocabulary without digits
    return items;
  } catch (const Error&) {
    return {};  // the sequences are too short for it
  }
}

}  // namespace

Json HeldOutResult::to_json() const {
  const auto number = [](double x) { return std::isfinite(x) ? Json(x) : Json(); };
  Json json = {{"kl", number(kl)},
               {"kl_stderr", number(kl_error)},
               {"perplexity", number(perplexity)},
               {"teacher_perplexity", number(teacher_perplexity)}};
  if (passkey >= 0) json["passkey"] = passkey;
  return json;
}

HeldOutResult held_out_from_json(const Json& json, const std::string& where) {
  const double nan = std::nan("");
  return {get_or<double>(json, "kl", nan, where), get_or<double>(json, "kl_stderr", nan, where),
          get_or<double>(json, "perplexity", nan, where), get_or<double>(json, "teacher_perplexity", nan, where),
          get_or<double>(json, "passkey", -1, where)};
}

HeldOut::HeldOut(const Model& model, std::vector<std::vector<TokenId>> texts, int passkeys, std::uint64_t seed)
    : texts_(std::move(texts)) {
  LB_CHECK(!texts_.empty());
  passkeys_ = make_passkeys(model, static_cast<int>(texts_.front().size()), passkeys, seed);
}

HeldOutResult HeldOut::measure(Distiller& distiller, int sequences) const {
  std::vector<LossSums> each;
  const int length = static_cast<int>(texts_.front().size());
  for (std::size_t first = 0; first < texts_.size(); first += static_cast<std::size_t>(sequences)) {
    check_interrupt(stopped);
    const auto count = std::min(static_cast<std::size_t>(sequences), texts_.size() - first);
    std::vector<TokenId> tokens;
    for (std::size_t i = first; i < first + count; ++i) tokens.insert(tokens.end(), texts_[i].begin(), texts_[i].end());
    distiller.measure(tokens, {static_cast<int>(count), length}, &each);
  }
  LossSums total;
  std::vector<double> kl;
  for (const LossSums& sums : each) {
    total += sums;
    kl.push_back(sums.kl / static_cast<double>(sums.tokens));
  }
  HeldOutResult result;
  const Estimate mean = estimate(kl);
  result.kl = mean.mean;
  result.kl_error = mean.error;
  result.perplexity = std::exp(total.nll / static_cast<double>(total.targets));
  result.teacher_perplexity = std::exp(total.teacher_nll / static_cast<double>(total.targets));
  if (!passkeys_.empty()) result.passkey = measure_passkey(distiller, sequences);
  return result;
}

/// The answers are read with the right tokens given so far, as run_passkey() does. Shorter texts are filled up behind
/// their end, which nothing before sees.
double HeldOut::measure_passkey(Distiller& distiller, int sequences) const {
  int found = 0;
  std::size_t length = 0;
  for (const PasskeyItem& item : passkeys_) length = std::max(length, item.prompt.size() + item.answer.size());
  for (std::size_t first = 0; first < passkeys_.size(); first += static_cast<std::size_t>(sequences)) {
    check_interrupt(stopped);
    const auto items =
        std::span(passkeys_).subspan(first, std::min(static_cast<std::size_t>(sequences), passkeys_.size() - first));
    std::vector<TokenId> tokens, expected;
    std::vector<int> rows;
    for (const PasskeyItem& item : items) {
      const std::size_t begin = tokens.size();
      tokens.insert(tokens.end(), item.prompt.begin(), item.prompt.end());
      for (const TokenId token : item.answer) {
        rows.push_back(static_cast<int>(tokens.size()) - 1);
        expected.push_back(token);
        tokens.push_back(token);
      }
      tokens.resize(begin + length, 0);
    }
    std::vector<TokenId> best(rows.size());
    distiller.best_tokens(tokens, {static_cast<int>(items.size()), static_cast<int>(length)}, rows, best);
    std::size_t at = 0;
    for (const PasskeyItem& item : items) {
      const auto begin = static_cast<std::ptrdiff_t>(at), end = begin + std::ssize(item.answer);
      found += std::equal(best.begin() + begin, best.begin() + end, expected.begin() + begin) ? 1 : 0;
      at += item.answer.size();
    }
  }
  return static_cast<double>(found) / static_cast<double>(passkeys_.size());
}

}  // namespace layerboost
