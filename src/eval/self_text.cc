#include "eval/self_text.h"

#include <algorithm>

#include "base/json.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/sealed_file.h"
#include "generate/bos.h"
#include "generate/generate.h"
#include "text/chat_template.h"

namespace layerboost {
namespace {

using Texts = std::vector<std::vector<TokenId>>;

constexpr std::size_t batch = 64;  // sequences written together

Json to_json(const Model& model, const SelfTextOptions& options, const Texts& texts) {
  return sealed_json({{"model", model.hash}, {"seed", options.seed}, {"length", options.length}, {"sequences", texts}});
}

bool is_text_of(const Model& model, const SelfTextOptions& options, const Texts& texts) {
  const auto token_ok = [&](TokenId token) { return token >= 0 && token < model.config.vocab; };
  const auto text_ok = [&](const std::vector<TokenId>& text) {
    return text.size() == static_cast<std::size_t>(options.length) && std::all_of(text.begin(), text.end(), token_ok);
  };
  return texts.size() <= static_cast<std::size_t>(options.count) && std::all_of(texts.begin(), texts.end(), text_ok);
}

/// What the cache has of it: nothing, a part, or all.
Texts read_cached(const fs::path& path, const Model& model, const SelfTextOptions& options) {
  if (!fs::exists(path)) return {};
  const std::string where = path.string();
  try {
    const Json json = read_json(path);
    Texts texts = get<Texts>(json, "sequences", where);
    if (is_sealed(json) && get<std::string>(json, "model", where) == model.hash && is_text_of(model, options, texts))
      return texts;
    warn("{}: damaged, or not the text of this model; written anew", where);
  } catch (const Error& error) {
    warn("{}; written anew", error.what());
  }
  return {};
}

std::vector<TokenId> begin_of_text(const Tokenizer& tokenizer) {
  const TokenId first = prefix_token(tokenizer);
  if (first < 0) fail("the model has neither BOS nor EOS to begin a text of its own with; give one with `text` FILE");
  return {first};
}

/// What stands before the first user's words in a chat.
std::vector<TokenId> before_the_user(const Tokenizer& tokenizer) {
  constexpr std::string_view marker = "\x01user\x01";
  ChatInput input;
  input.messages.push_back({{"role", "user"}, {"content", std::string(marker)}});
  const std::string chat = ChatTemplate(tokenizer).render(input);
  std::vector<TokenId> begin = tokenizer.encode(chat.substr(0, std::min(chat.find(marker), chat.size())), true);
  return begin.empty() ? begin_of_text(tokenizer) : begin;
}

}  // namespace

fs::path self_text_path(const Model& model, const SelfTextOptions& options) {
  const std::string hash = model.hash.substr(model.hash.find(':') + 1).substr(0, 16);
  return cache_dir() / "self_text" /
         fmt::format("{}-{}-{}x{}{}.json", hash, options.seed, options.count, options.length,
                     options.chat ? "-chat" : "");
}

Texts self_text(Subject& subject, const SelfTextOptions& options) {
  const fs::path path = self_text_path(subject.model, options);
  Texts texts = read_cached(path, subject.model, options);
  const auto count = static_cast<std::size_t>(options.count);
  if (texts.size() == count) return texts;

  const std::vector<TokenId> begin =
      options.chat ? before_the_user(subject.model.text()) : begin_of_text(subject.model.text());
  const int written_tokens = options.length - static_cast<int>(begin.size());
  if (written_tokens < 1)
    fail("the model's chat template takes {} tokens before anything is said; `length` is {}", begin.size(),
         options.length);
  GenerateOptions generate_options;
  generate_options.tokens = written_tokens;
  generate_options.sampling.temperature = 1;
  generate_options.seed = options.seed;
  Progress progress("text by the model itself", static_cast<std::int64_t>(count - texts.size()) * written_tokens,
                    "tokens");
  while (texts.size() < count) {
    const Texts prompts(std::min(batch, count - texts.size()), begin);
    generate_options.first_stream = texts.size();
    const auto written =
        generate(subject, prompts, generate_options, [&](std::size_t, TokenId) { progress.advance(); });
    for (const Generation& generation : written) {
      texts.push_back(begin);
      texts.back().insert(texts.back().end(), generation.tokens.begin(), generation.tokens.end());
    }
    write_file(path, to_json(subject.model, options, texts).dump() + "\n");
  }
  return texts;
}

void write_self_text(const fs::path& file, Subject& subject, const SelfTextOptions& options) {
  std::string text;
  for (const auto& tokens : self_text(subject, options)) text += subject.model.text().decode(tokens, true) + "\n";
  write_file(file, text);
}

}  // namespace layerboost
