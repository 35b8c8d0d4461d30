#include "server/request_fields.h"

#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/in_quotes.h"
#include "base/nearest.h"
#include "server/api_error.h"

namespace layerboost {
namespace {

constexpr int kCompletions = static_cast<int>(Endpoint::completions), kChat = static_cast<int>(Endpoint::chat),
              kBoth = kCompletions | kChat, kTokenize = static_cast<int>(Endpoint::tokenize),
              kDetokenize = static_cast<int>(Endpoint::detokenize), kAll = kBoth | kTokenize | kDetokenize;

enum class Use {
  effect,    // does what it says
  harmless,  // can't change the answer's text, whatever it says: not looked at
  neutral,   // isn't supported: only values that ask for nothing pass
};

struct Field {
  std::string_view name;
  int endpoints;
  Use use;
  /// Of `neutral`: a list, as JSON, of the values that ask for nothing; empty: false, "", [] and {}.
  std::string_view neutral = {};
};

// docs/serving.md has the same table for people.
constexpr Field kRequestFields[] = {
    {"model", kAll, Use::effect},
    {"prompt", kCompletions | kTokenize, Use::effect},
    {"messages", kChat | kTokenize, Use::effect},
    {"tokens", kDetokenize, Use::effect},
    {"add_special_tokens", kCompletions | kTokenize, Use::effect},
    {"add_special_tokens", kChat, Use::neutral},  // a chat's come from its template
    {"add_generation_prompt", kChat | kTokenize, Use::effect},
    {"chat_template_kwargs", kChat | kTokenize, Use::effect},
    {"reasoning_effort", kChat, Use::effect},
    {"max_tokens", kBoth, Use::effect},
    {"max_completion_tokens", kBoth, Use::effect},
    {"n_predict", kBoth, Use::effect},
    {"min_tokens", kBoth, Use::effect},
    {"ignore_eos", kBoth, Use::effect},
    {"stop", kBoth, Use::effect},
    {"stop_token_ids", kBoth, Use::effect},
    {"temperature", kBoth, Use::effect},
    {"top_p", kBoth, Use::effect},
    {"top_k", kBoth, Use::effect},
    {"min_p", kBoth, Use::effect},
    {"repetition_penalty", kBoth, Use::effect},
    {"presence_penalty", kBoth, Use::effect},
    {"frequency_penalty", kBoth, Use::effect},
    {"logit_bias", kBoth, Use::effect},
    {"seed", kBoth, Use::effect},
    {"n", kBoth, Use::effect},
    {"best_of", kBoth, Use::effect},
    {"repeat_last_n", kBoth, Use::effect},  // what the penalties look at
    {"logprobs", kBoth, Use::effect},
    {"top_logprobs", kChat, Use::effect},
    {"echo", kCompletions, Use::effect},
    {"stream", kBoth, Use::effect},
    {"stream_options", kBoth, Use::effect},
    {"response_format", kBoth, Use::effect},
    {"layerboost", kBoth, Use::effect},  // what only this server has
    {"tools", kChat | kTokenize, Use::effect},
    {"tool_choice", kChat | kTokenize, Use::effect},

    // Who asks, what for, how it is kept, paid, sped up or measured.
    {"user", kAll, Use::harmless},
    {"safety_identifier", kBoth, Use::harmless},
    {"metadata", kBoth, Use::harmless},
    {"store", kBoth, Use::harmless},
    {"service_tier", kBoth, Use::harmless},
    {"request_id", kBoth, Use::harmless},
    {"priority", kBoth, Use::harmless},
    {"prediction", kChat, Use::harmless},
    {"prompt_cache_key", kBoth, Use::harmless},
    {"prompt_cache_retention", kBoth, Use::harmless},
    {"cache_salt", kBoth, Use::harmless},
    {"cache_prompt", kBoth, Use::harmless},
    {"n_cache_reuse", kBoth, Use::harmless},
    {"id_slot", kBoth, Use::harmless},
    {"n_keep", kBoth, Use::harmless},     // of llama.cpp: what stays when a text outgrows the context;
    {"n_discard", kBoth, Use::harmless},  // here no text does
    {"timings_per_token", kBoth, Use::harmless},
    {"return_progress", kBoth, Use::harmless},
    // Details of what is off.
    {"parallel_tool_calls", kChat, Use::harmless},
    {"include_reasoning", kChat, Use::harmless},
    {"guided_decoding_backend", kBoth, Use::harmless},
    {"guided_whitespace_pattern", kBoth, Use::harmless},
    {"penalize_nl", kBoth, Use::harmless},  // llama.cpp doesn't look at it any more
    {"mirostat_tau", kBoth, Use::harmless},
    {"mirostat_eta", kBoth, Use::harmless},
    {"dynatemp_exponent", kBoth, Use::harmless},
    {"xtc_threshold", kBoth, Use::harmless},
    {"dry_base", kBoth, Use::harmless},
    {"dry_allowed_length", kBoth, Use::harmless},
    {"dry_penalty_last_n", kBoth, Use::harmless},
    {"dry_sequence_breakers", kBoth, Use::harmless},

    // OpenAI's.
    {"suffix", kCompletions, Use::neutral},
    {"top_logprobs", kCompletions, Use::neutral, "[0]"},
    {"echo", kChat, Use::neutral},
    {"functions", kChat, Use::neutral},
    {"function_call", kChat, Use::neutral, R"(["none"])"},
    {"audio", kChat, Use::neutral},
    {"modalities", kChat, Use::neutral, R"([["text"]])"},
    {"verbosity", kChat, Use::neutral, R"(["medium"])"},
    {"web_search_options", kChat, Use::neutral, "[]"},
    {"moderation", kBoth, Use::neutral},
    // vLLM's.
    {"use_beam_search", kBoth, Use::neutral},
    {"length_penalty", kBoth, Use::neutral, "[1]"},
    {"early_stopping", kBoth, Use::neutral},
    {"include_stop_str_in_output", kBoth, Use::neutral},
    {"skip_special_tokens", kBoth, Use::neutral, "[true]"},
    {"spaces_between_special_tokens", kBoth, Use::neutral, "[true]"},
    {"truncate_prompt_tokens", kBoth, Use::neutral},
    {"allowed_token_ids", kBoth, Use::neutral},
    {"bad_words", kBoth, Use::neutral},
    {"prompt_logprobs", kBoth, Use::neutral},
    {"prompt_embeds", kCompletions, Use::neutral},
    {"return_tokens_as_token_ids", kBoth, Use::neutral},
    {"return_token_ids", kBoth, Use::neutral},
    {"logits_processors", kBoth, Use::neutral},
    {"guided_json", kBoth, Use::neutral, "[]"},
    {"guided_regex", kBoth, Use::neutral},
    {"guided_choice", kBoth, Use::neutral},
    {"guided_grammar", kBoth, Use::neutral},
    {"guided_json_object", kBoth, Use::neutral},
    {"structural_tag", kBoth, Use::neutral},
    {"structured_outputs", kBoth, Use::neutral},
    {"thinking_token_budget", kBoth, Use::neutral},
    {"repetition_detection", kBoth, Use::neutral},
    {"continue_final_message", kChat | kTokenize, Use::neutral},
    {"chat_template", kChat | kTokenize, Use::neutral},
    {"documents", kChat, Use::neutral},
    {"mm_processor_kwargs", kChat | kTokenize, Use::neutral},
    {"media_io_kwargs", kChat, Use::neutral},
    {"kv_transfer_params", kBoth, Use::neutral},
    {"vllm_xargs", kBoth, Use::neutral},
    {"lora_request", kBoth, Use::neutral},
    {"return_token_strs", kTokenize, Use::neutral},
    // llama.cpp's.
    {"grammar", kBoth, Use::neutral},
    {"json_schema", kBoth, Use::neutral, "[]"},
    {"typical_p", kBoth, Use::neutral, "[1]"},
    {"tfs_z", kBoth, Use::neutral, "[1]"},
    {"top_n_sigma", kBoth, Use::neutral, "[-1, 0]"},
    {"repeat_penalty", kBoth, Use::neutral, "[1]"},
    {"mirostat", kBoth, Use::neutral, "[0]"},
    {"dynatemp_range", kBoth, Use::neutral, "[0]"},
    {"xtc_probability", kBoth, Use::neutral, "[0]"},
    {"dry_multiplier", kBoth, Use::neutral, "[0]"},
    {"min_keep", kBoth, Use::neutral, "[0]"},
    {"n_probs", kBoth, Use::neutral, "[0]"},
    {"n_indent", kBoth, Use::neutral, "[0]"},
    {"t_max_predict_ms", kBoth, Use::neutral, "[0, -1]"},
    {"post_sampling_probs", kBoth, Use::neutral},
    {"return_tokens", kBoth, Use::neutral},
    {"response_fields", kBoth, Use::neutral},
    {"samplers", kBoth, Use::neutral},
    {"lora", kBoth, Use::neutral},
    {"reasoning_format", kChat, Use::neutral, R"(["none", "auto"])"},
    {"thinking_forced_open", kChat, Use::neutral},
};

constexpr Field kStreamOptions[] = {
    {"include_usage", kBoth, Use::effect},
    {"include_obfuscation", kBoth, Use::harmless},     // padding against listeners who count bytes
    {"continuous_usage_stats", kBoth, Use::harmless},  // the usage comes once, at the end
};

constexpr Field kOwnOptions[] = {{"level", kBoth, Use::effect}};

constexpr const char* path_of(Endpoint endpoint) {
  switch (endpoint) {
    case Endpoint::completions:
      return "/v1/completions";
    case Endpoint::chat:
      return "/v1/chat/completions";
    case Endpoint::tokenize:
      return "/tokenize";
    case Endpoint::detokenize:
      return "/detokenize";
  }
  return "";
}

bool asks_for_nothing(const Field& field, const Json& value) {
  if (!field.neutral.empty()) {
    const Json values = Json::parse(field.neutral);
    return std::find(values.begin(), values.end(), value) != values.end();
  }
  if (value.is_string()) return value.get_ref<const std::string&>().empty();
  return value == false || (value.is_structured() && value.empty());
}

/// Throws ApiError for what `table` doesn't have or can't do. `where`: what has these fields.
void check_names(const Json& object, std::span<const Field> table, int endpoint, std::string_view where,
                 const std::string& path) {
  for (const auto& [name, value] : object.items()) {
    if (value.is_null()) continue;
    const auto is_it = [&, key = std::string_view(name)](const Field& field) {
      return (field.endpoints & endpoint) != 0 && field.name == key;
    };
    const auto field = std::find_if(table.begin(), table.end(), is_it);
    if (field == table.end()) {
      std::vector<std::string> names;
      for (const Field& known : table)
        if ((known.endpoints & endpoint) != 0 && known.use == Use::effect) names.emplace_back(known.name);
      const std::string meant = did_you_mean(name, names);
      constexpr std::size_t longest_param = 64;
      refuse(name.size() <= longest_param ? path + name : "", "{} has no field {}{}", where, in_quotes(path + name),
             meant.empty() ? "; leave it out" : meant);
    }
    if (field->use != Use::neutral || asks_for_nothing(*field, value)) continue;
    refuse(path + name, "\"{}\" would change the answer and is not supported by this server; leave it out",
           path + name);
  }
}

}  // namespace

void check_fields(const Json& body, Endpoint endpoint) {
  check_names(body, kRequestFields, static_cast<int>(endpoint), path_of(endpoint), "");
}

void check_stream_options(const Json& options) {
  check_names(options, kStreamOptions, kBoth, "\"stream_options\"", "stream_options.");
}

void check_own_options(const Json& options) {
  check_names(options, kOwnOptions, kBoth, "\"layerboost\"", "layerboost.");
}

}  // namespace layerboost
