#include "text/normalizer.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <utility>

#include "base/error.h"
#include "text/nfc.h"

namespace layerboost {

namespace {

std::string replaced(std::string_view text, const RewriteStep& step) {
  std::size_t count = 0;
  for (std::size_t at = text.find(step.pattern); at < text.size(); at = text.find(step.pattern, at)) {
    ++count;
    at += step.pattern.size();
  }
  constexpr std::size_t most = std::numeric_limits<std::int32_t>::max();
  const std::size_t kept = text.size() - count * step.pattern.size();
  if (kept > most || (count > 0 && step.content.size() > (most - kept) / count))
    fail("tokenizer: a text becomes too long when it is normalised; at most 2 GiB at once");
  std::string result;
  result.reserve(kept + count * step.content.size());
  while (true) {
    const std::size_t at = text.find(step.pattern);
    result += text.substr(0, at);
    if (at == std::string_view::npos) return result;
    result += step.content;
    text.remove_prefix(at + step.pattern.size());
  }
}

}  // namespace

Normalizer::Normalizer(bool nfc, std::vector<RewriteStep> steps) : nfc_(nfc), steps_(std::move(steps)) {}

std::string_view Normalizer::apply(std::string_view valid_utf8, bool at_front, std::string& buffer) const {
  std::string_view text = valid_utf8;
  const auto becomes = [&](std::string changed) {
    buffer = std::move(changed);
    text = buffer;
  };
  if (nfc_ && may_change_under_nfc(text)) becomes(to_nfc(text));
  for (const RewriteStep& step : steps_) {
    if (!step.pattern.empty() && text.find(step.pattern) != std::string_view::npos)
      becomes(replaced(text, step));
    else if (step.pattern.empty() && at_front && !text.empty())
      becomes(std::string(step.content).append(text));
  }
  return text;
}

std::string Normalizer::operator()(std::string_view valid_utf8, bool at_front) const {
  std::string buffer;
  return std::string(apply(valid_utf8, at_front, buffer));
}

}  // namespace layerboost
