#include "text/post_processor_json.h"

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/in_quotes.h"
#include "text/component_json.h"

namespace layerboost {
namespace {

class PostProcessorReader {
 public:
  PostProcessorReader(const TokenizerData& data, std::string_view where) : data_(data), where_(where) {}

  void read(const Json& part) {
    const auto type = get<std::string>(part, "type", where_);
    if (type == "ByteLevel") return;
    if (adds_) fail("{}: several post-processors that add tokens are not supported", where_);
    adds_ = true;
    if (type == "TemplateProcessing")
      read_template(part);
    else if (type == "RobertaProcessing" || type == "BertProcessing")
      read_cls(part);
    else
      fail(
          "{}: the post-processor {} is not supported; TemplateProcessing, RobertaProcessing, BertProcessing, "
          "ByteLevel and sequences of them are",
          where_, in_quotes(type));
  }

  /// The token before a text; nullopt: there is none.
  [[nodiscard]] std::optional<TokenId> start() const { return start_; }

 private:
  // {"cls": ["<s>", 0], ...}: the number counts.
  void read_cls(const Json& part) {
    const auto cls = part.find("cls");
    if (cls == part.end() || !cls->is_array() || cls->size() != 2 || !(*cls)[1].is_number_integer())
      fail("{}: \"cls\" of the post-processor should be a token and its id", where_);
    add_token((*cls)[1].get<TokenId>());
  }

  void read_template(const Json& part) {
    const auto single = part.find("single");
    if (single == part.end() || !single->is_array())
      fail("{}: \"single\" of the post-processor must be a list", where_);
    constexpr std::size_t most = 64;
    if (single->size() > most) fail("{}: \"single\" of the post-processor has more than {} parts", where_, most);
    int texts = 0;
    for (const Json& piece : *single) {
      if (piece.is_object() && piece.contains("Sequence")) {
        ++texts;
        continue;
      }
      if (texts > 0) continue;
      if (!piece.is_object() || !piece.contains("SpecialToken"))
        fail("{}: a part of \"single\" of the post-processor is neither a text nor a token", where_);
      add_tokens(get<std::string>(piece["SpecialToken"], "id", where_), part);
    }
    if (texts != 1) fail("{}: \"single\" of the post-processor has the text {} times, not once", where_, texts);
  }

  // "special_tokens" say which tokens a name stands for; without it, it is the token of that text.
  void add_tokens(const std::string& name, const Json& part) {
    const auto told = part.find("special_tokens");
    if (told != part.end() && told->is_object() && told->contains(name)) {
      for (const TokenId id : get<std::vector<TokenId>>((*told)[name], "ids", where_)) add_token(id);
      return;
    }
    const auto found = std::find(data_.tokens.begin(), data_.tokens.end(), name);
    if (found == data_.tokens.end())
      fail("{}: the post-processor adds {}, which is not in the vocabulary", where_, in_quotes(name));
    add_token(static_cast<TokenId>(found - data_.tokens.begin()));
  }

  void add_token(TokenId token) {
    if (start_) fail("{}: the post-processor puts several tokens before a text; only one is supported", where_);
    start_ = token;
  }

  const TokenizerData& data_;
  std::string_view where_;
  bool adds_ = false;
  std::optional<TokenId> start_;
};

}  // namespace

void read_post_processor(const Json& post_processor, TokenizerData& data, std::string_view where) {
  if (post_processor.is_null()) return;
  PostProcessorReader reader(data, where);
  for_each_component(post_processor, {"post-processor", "processors"}, where,
                     [&](const Json& part) { reader.read(part); });
  const std::optional<TokenId> start = reader.start();
  if (!start) return;
  if (*start < 0 || static_cast<std::size_t>(*start) >= data.tokens.size())
    fail("{}: the post-processor puts token {} before a text; the vocabulary has {}", where, *start,
         data.tokens.size());
  data.add_bos = true;
  data.text_start = *start;
}

}  // namespace layerboost
