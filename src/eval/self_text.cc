#include "eval/self_text.h"

#include <algorithm>

#include "base/json.h"
#include "base/log.h"
#include "base/progress.h"
#include "base/sealed_file.h"
#include "generate/bos.h"
#include "generate/generate.h"

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

}  // namespace

fs::path self_text_path(const Model& model, const SelfTextOptions& options) {
  const std::string hash = model.hash.substr(model.hash.find(':') + 1).substr(0, 16);
  return cache_dir() / "self_text" / fmt::format("{}-{}-{}x{}.json", hash, options.seed, options.count, options.length);
}

Texts self_text(Subject& subject, const SelfTextOptions& options) {
  const fs::path path = self_text_path(subject.model, options);
  Texts texts = read_cached(path, subject.model, options);
  const auto count = static_cast<std::size_t>(options.count);
  if (texts.size() == count) return texts;

  const TokenId first = prefix_token(subject.model.text());
  if (first < 0) fail("the model has neither BOS nor EOS to begin a text of its own with; give one with `text` FILE");
  GenerateOptions generate_options;
  generate_options.tokens = options.length - 1;
  generate_options.sampling.temperature = 1;
  generate_options.seed = options.seed;
  Progress progress("text by the model itself", static_cast<std::int64_t>(count - texts.size()) * (options.length - 1),
                    "tokens");
  while (texts.size() < count) {
    const Texts prompts(std::min(batch, count - texts.size()), {first});
    generate_options.first_stream = texts.size();
    const auto written =
        generate(subject, prompts, generate_options, [&](std::size_t, TokenId) { progress.advance(); });
    for (const Generation& generation : written) {
      texts.push_back({first});
      texts.back().insert(texts.back().end(), generation.tokens.begin(), generation.tokens.end());
    }
    write_file(path, to_json(subject.model, options, texts).dump() + "\n");
  }
  return texts;
}

}  // namespace layerboost
