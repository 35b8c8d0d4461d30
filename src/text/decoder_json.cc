#include "text/decoder_json.h"

#include <string>

#include "base/error.h"
#include "base/in_quotes.h"
#include "text/character_bpe.h"
#include "text/component_json.h"
#include "text/pre_tokenizer_json.h"

namespace layerboost {
namespace {

class DecoderReader {
 public:
  DecoderReader(CharacterRules& rules, std::string_view where) : rules_(rules), where_(where) {}

  void read(const Json& part) {
    const auto type = get<std::string>(part, "type", where_);
    if (type == "Replace") {
      const auto pattern = part.find("pattern");
      const bool is_text = pattern != part.end() && pattern->is_object() && pattern->contains("String");
      if (!is_text || get<std::string>(part, "content", where_) != " ")
        fail("{}: a \"Replace\" of the decoder is supported only where it makes a text a space", where_);
      set_space(get<std::string>(*pattern, "String", where_));
    } else if (type == "Metaspace") {
      const SplitStep step = metaspace_step(part, where_);
      set_space(step.space_mark);
      rules_.leading_spaces = step.prefix_space ? 1 : 0;
    } else if (type == "Strip") {
      read_strip(part);
    } else if (type == "Fuse") {
      fused_ = true;
    } else if (type != "ByteFallback") {
      fail(
          "{}: the decoder {} is not supported for BPE with byte fallback; Replace, ByteFallback, Fuse, Strip, "
          "Metaspace and sequences of them are",
          where_, in_quotes(type));
    }
  }

 private:
  void set_space(const std::string& mark) {
    constexpr std::size_t longest = 1024;
    if (!rules_.space.empty() || mark.empty() || mark.size() > longest)
      fail("{}: the decoder must make a space of one text, which has 1 to {} bytes", where_, longest);
    if (rules_.leading_spaces > 0)
      fail("{}: a \"Strip\" of the decoder before it makes spaces is not supported", where_);
    rules_.space = mark;
  }

  void read_strip(const Json& part) {
    constexpr int most = 1024;
    const int start = get_or(part, "start", 0, where_);
    if (get<std::string>(part, "content", where_) != " " || start < 0 || start > most ||
        get_or(part, "stop", 0, where_) != 0 || (start > 0 && !fused_) || rules_.leading_spaces > 0)
      fail("{}: a \"Strip\" of the decoder is supported only once, behind \"Fuse\", of at most {} spaces in front",
           where_, most);
    rules_.leading_spaces = start;
  }

  CharacterRules& rules_;
  std::string_view where_;
  bool fused_ = false;
};

}  // namespace

void read_decoder(const Json& decoder, CharacterRules& rules, std::string_view where) {
  if (decoder.is_null()) {
    rules.space = space_mark;
    return;
  }
  DecoderReader reader(rules, where);
  for_each_component(decoder, {"decoder", "decoders"}, where, [&](const Json& part) { reader.read(part); });
}

SortedJson decoder_json(const CharacterRules& rules) {
  SortedJson parts = SortedJson::array();
  if (!rules.space.empty())
    parts.push_back({{"type", "Replace"}, {"pattern", {{"String", rules.space}}}, {"content", " "}});
  parts.push_back({{"type", "ByteFallback"}});
  parts.push_back({{"type", "Fuse"}});
  if (rules.leading_spaces > 0)
    parts.push_back({{"type", "Strip"}, {"content", " "}, {"start", rules.leading_spaces}, {"stop", 0}});
  return {{"type", "Sequence"}, {"decoders", std::move(parts)}};
}

}  // namespace layerboost
