#include "text/normalizer_json.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/in_quotes.h"
#include "text/component_json.h"

namespace layerboost {
namespace {

RewriteStep read_replace(const Json& part, std::string_view where) {
  const auto pattern = part.find("pattern");
  if (pattern == part.end() || !pattern->is_object() || !pattern->contains("String"))
    fail("{}: a \"Replace\" of the normalizer is supported only with a \"String\" as its \"pattern\"", where);
  RewriteStep step{get<std::string>(*pattern, "String", where), get<std::string>(part, "content", where)};
  if (step.pattern.empty()) fail("{}: a \"Replace\" of the normalizer has an empty \"pattern\"", where);
  return step;
}

void read_part(const Json& part, TokenizerData& data, std::string_view where) {
  const auto type = get<std::string>(part, "type", where);
  if (type == "NFC") {
    if (!data.rewriting.empty()) fail("{}: \"NFC\" after other steps of the normalizer is not supported", where);
    data.nfc = true;
  } else if (type == "Prepend") {
    const auto content = get<std::string>(part, "prepend", where);
    if (!content.empty()) data.rewriting.push_back({"", content});
  } else if (type == "Replace") {
    data.rewriting.push_back(read_replace(part, where));
  } else {
    fail("{}: normalizer {} is not supported; known: NFC, Prepend, Replace and sequences of them", where,
         in_quotes(type));
  }
}

}  // namespace

void read_normalizer(const Json& normalizer, TokenizerData& data, std::string_view where) {
  if (normalizer.is_null()) return;
  for_each_component(normalizer, {"normalizer", "normalizers"}, where,
                     [&](const Json& part) { read_part(part, data, where); });
  constexpr std::size_t most_steps = 64, most_growth = 64, longest = 1024;
  if (data.rewriting.size() > most_steps) fail("{}: the normalizer has more than {} steps", where, most_steps);
  double growth = 1;
  for (const RewriteStep& step : data.rewriting) {
    if (step.pattern.empty() && step.content.size() > longest)
      fail("{}: the normalizer puts {} bytes in front of a text; at most {}", where, step.content.size(), longest);
    if (step.pattern.size() > longest)
      fail("{}: the normalizer looks for {} bytes; at most {}", where, step.pattern.size(), longest);
    if (!step.pattern.empty())
      growth *= std::max(1.0, static_cast<double>(step.content.size()) / static_cast<double>(step.pattern.size()));
  }
  if (growth > most_growth) fail("{}: the normalizer may make a text more than {} times as long", where, most_growth);
}

SortedJson normalizer_json(const TokenizerData& data) {
  SortedJson parts = SortedJson::array();
  if (data.nfc) parts.push_back({{"type", "NFC"}});
  for (const RewriteStep& step : data.rewriting) {
    if (step.pattern.empty())
      parts.push_back({{"type", "Prepend"}, {"prepend", step.content}});
    else
      parts.push_back({{"type", "Replace"}, {"pattern", {{"String", step.pattern}}}, {"content", step.content}});
  }
  if (parts.empty()) return {};
  if (parts.size() == 1) return std::move(parts.front());
  return {{"type", "Sequence"}, {"normalizers", std::move(parts)}};
}

}  // namespace layerboost
