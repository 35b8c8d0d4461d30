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
              kGeneration = kCompletions | kChat, kTokenize = static_cast<int>(Endpoint::tokenize),
              kDetokenize = static_cast<int>(Endpoint::detokenize),
              kEmbeddings = static_cast<int>(Endpoint::embeddings), kResponses = static_cast<int>(Endpoint::responses),
              kText = kGeneration | kResponses, kEngine = kText | kEmbeddings, kAll = kEngine | kTokenize | kDetokenize;

enum class Use {
  effect,    // does what it says
  harmless,  // can't change the answer's text, whatever it says: not looked at
  neutral,   // isn't supported: only values that ask for nothing pass
};

struct Field {
  std::string_view name;
  int endpoints;
  Use use;
  /// For Use::neutral, the values that ask for nothing: a list, as JSON; empty: false, "", [] and {}.
  std::string_view neutral = {};
};

// docs/serving.md has the same table for people.
constexpr Field kRequestFields[] = {
    {"model", kAll, Use::effect},
    {"prompt", kCompletions | kTokenize, Use::effect},
    {"messages", kChat | kTokenize, Use::effect},
    {"tokens", kDetokenize, Use::effect},
    {"input", kEmbeddings | kResponses, Use::effect},
    {"encoding_format", kEmbeddings, Use::effect},
    {"dimensions", kEmbeddings, Use::effect},
    {"add_special_tokens", kCompletions | kTokenize | kEmbeddings, Use::effect},
    {"add_special_tokens", kChat, Use::neutral},  // a chat's come from its template
    {"add_generation_prompt", kChat | kTokenize, Use::effect},
    {"continue_final_message", kChat | kTokenize, Use::effect},
    {"chat_template_kwargs", kChat | kTokenize | kResponses, Use::effect},
    {"reasoning_effort", kChat, Use::effect},
    {"max_tokens", kGeneration, Use::effect},
    {"max_completion_tokens", kGeneration, Use::effect},
    {"n_predict", kGeneration, Use::effect},
    {"min_tokens", kText, Use::effect},
    {"ignore_eos", kText, Use::effect},
    {"stop", kText, Use::effect},
    {"stop_token_ids", kText, Use::effect},
    {"include_stop_str_in_output", kText, Use::effect},
    {"skip_special_tokens", kText, Use::effect},
    {"temperature", kText, Use::effect},
    {"top_p", kText, Use::effect},
    {"top_k", kText, Use::effect},
    {"min_p", kText, Use::effect},
    {"repetition_penalty", kText, Use::effect},
    {"repeat_penalty", kGeneration, Use::effect},  // llama.cpp's name for it
    {"presence_penalty", kText, Use::effect},
    {"frequency_penalty", kText, Use::effect},
    {"logit_bias", kText, Use::effect},
    {"allowed_token_ids", kGeneration, Use::effect},
    {"bad_words", kGeneration, Use::effect},
    {"seed", kText, Use::effect},
    {"n", kGeneration, Use::effect},
    {"best_of", kGeneration, Use::effect},
    {"repeat_last_n", kText, Use::effect},  // what the penalties look at
    {"logprobs", kGeneration, Use::effect},
    {"top_logprobs", kChat | kResponses, Use::effect},
    {"prompt_logprobs", kGeneration, Use::effect},
    {"return_tokens_as_token_ids", kGeneration, Use::effect},
    {"return_token_ids", kGeneration, Use::effect},
    {"return_token_strs", kTokenize, Use::effect},
    {"echo", kGeneration, Use::effect},
    {"stream", kText, Use::effect},
    {"stream_options", kText, Use::effect},
    {"response_format", kGeneration, Use::effect},
    {"structured_outputs", kText, Use::effect},
    {"guided_json", kGeneration, Use::effect},
    {"guided_regex", kGeneration, Use::effect},
    {"guided_choice", kGeneration, Use::effect},
    {"guided_grammar", kGeneration, Use::effect},
    {"guided_json_object", kGeneration, Use::effect},
    {"json_schema", kGeneration, Use::effect},  // llama.cpp's, and the next
    {"grammar", kGeneration, Use::effect},
    {"instructions", kResponses, Use::effect},
    {"max_output_tokens", kResponses, Use::effect},
    {"text", kResponses, Use::effect},
    {"reasoning", kResponses, Use::effect},
    {"include", kResponses, Use::effect},
    {"user", kResponses, Use::effect},  // the answer has it, too, and the next two
    {"metadata", kResponses, Use::effect},
    {"max_tool_calls", kResponses, Use::effect},  // of tools that the server itself would run
    {"layerboost", kEngine, Use::effect},         // what only this server has
    {"tools", kChat | kTokenize | kResponses, Use::effect},
    {"tool_choice", kChat | kTokenize | kResponses, Use::effect},
    {"parallel_tool_calls", kChat | kTokenize | kResponses, Use::effect},

    // Who asks, what for, how it is kept, paid, sped up or measured.
    {"user", kAll & ~kResponses, Use::harmless},
    {"safety_identifier", kEngine, Use::harmless},
    {"metadata", kEngine & ~kResponses, Use::harmless},
    {"store", kGeneration, Use::harmless},
    {"service_tier", kText, Use::harmless},
    {"request_id", kEngine, Use::harmless},
    {"priority", kEngine, Use::harmless},
    {"prediction", kChat, Use::harmless},
    {"prompt_cache_options", kResponses, Use::harmless},
    {"prompt_cache_key", kText, Use::harmless},
    {"prompt_cache_retention", kText, Use::harmless},
    {"cache_salt", kEngine, Use::harmless},
    {"cache_prompt", kGeneration, Use::harmless},
    {"n_cache_reuse", kGeneration, Use::harmless},
    {"id_slot", kGeneration, Use::harmless},
    {"n_keep", kGeneration, Use::harmless},     // of llama.cpp: what stays when a sequence outgrows the context;
    {"n_discard", kGeneration, Use::harmless},  // here none does
    {"timings_per_token", kGeneration, Use::harmless},
    {"return_progress", kGeneration, Use::harmless},
    // Details of what is off.
    {"include_reasoning", kChat, Use::harmless},
    {"guided_decoding_backend", kGeneration, Use::harmless},
    {"penalize_nl", kGeneration, Use::harmless},  // llama.cpp doesn't look at it any more
    {"mirostat_tau", kGeneration, Use::harmless},
    {"mirostat_eta", kGeneration, Use::harmless},
    {"dynatemp_exponent", kGeneration, Use::harmless},
    {"xtc_threshold", kGeneration, Use::harmless},
    {"dry_base", kGeneration, Use::harmless},
    {"dry_allowed_length", kGeneration, Use::harmless},
    {"dry_penalty_last_n", kGeneration, Use::harmless},
    {"dry_sequence_breakers", kGeneration, Use::harmless},

    // OpenAI's.
    {"suffix", kCompletions, Use::neutral},
    {"top_logprobs", kCompletions, Use::neutral, "[0]"},
    {"functions", kChat, Use::neutral},
    {"function_call", kChat, Use::neutral, R"(["none"])"},
    {"audio", kChat, Use::neutral},
    {"modalities", kChat, Use::neutral, R"([["text"]])"},
    {"verbosity", kChat, Use::neutral, R"(["medium"])"},
    {"web_search_options", kChat, Use::neutral, "[]"},
    {"moderation", kText, Use::neutral},
    {"store", kResponses, Use::neutral, "[false]"},  // nothing is kept
    {"background", kResponses, Use::neutral},
    {"background_options", kResponses, Use::neutral},
    {"previous_response_id", kResponses, Use::neutral},
    {"conversation", kResponses, Use::neutral},
    {"prompt", kResponses, Use::neutral},
    {"context_management", kResponses, Use::neutral},
    {"truncation", kResponses, Use::neutral, R"(["disabled"])"},
    {"image", kResponses, Use::neutral},
    {"access_programs", kResponses, Use::neutral},
    // vLLM's.
    {"previous_input_messages", kResponses, Use::neutral},
    {"enable_response_messages", kResponses, Use::neutral},
    {"use_beam_search", kGeneration, Use::neutral},
    {"length_penalty", kGeneration, Use::neutral, "[1]"},
    {"early_stopping", kGeneration, Use::neutral},
    {"spaces_between_special_tokens", kGeneration, Use::neutral, "[true]"},
    {"truncate_prompt_tokens", kEngine, Use::neutral},
    {"prompt_embeds", kCompletions, Use::neutral},
    {"logits_processors", kGeneration, Use::neutral},
    {"guided_whitespace_pattern", kGeneration, Use::neutral},
    {"structural_tag", kGeneration, Use::neutral},
    {"thinking_token_budget", kGeneration, Use::neutral},
    {"repetition_detection", kGeneration, Use::neutral},
    {"chat_template", kChat | kTokenize, Use::neutral},
    {"documents", kChat, Use::neutral},
    {"mm_processor_kwargs", kChat | kTokenize | kEmbeddings | kResponses, Use::neutral},
    {"media_io_kwargs", kChat, Use::neutral},
    {"kv_transfer_params", kText, Use::neutral},
    {"vllm_xargs", kText, Use::neutral},
    {"lora_request", kGeneration, Use::neutral},
    {"normalize", kEmbeddings, Use::neutral, "[true]"},
    {"use_activation", kEmbeddings, Use::neutral, "[true]"},
    {"embed_dtype", kEmbeddings, Use::neutral, R"(["float32"])"},
    {"endianness", kEmbeddings, Use::neutral, R"(["native", "little"])"},
    // llama.cpp's.
    {"typical_p", kGeneration, Use::neutral, "[1]"},
    {"tfs_z", kGeneration, Use::neutral, "[1]"},
    {"top_n_sigma", kGeneration, Use::neutral, "[-1, 0]"},
    {"mirostat", kGeneration, Use::neutral, "[0]"},
    {"dynatemp_range", kGeneration, Use::neutral, "[0]"},
    {"xtc_probability", kGeneration, Use::neutral, "[0]"},
    {"dry_multiplier", kGeneration, Use::neutral, "[0]"},
    {"min_keep", kGeneration, Use::neutral, "[0]"},
    {"n_probs", kGeneration, Use::neutral, "[0]"},
    {"n_indent", kGeneration, Use::neutral, "[0]"},
    {"t_max_predict_ms", kGeneration, Use::neutral, "[0, -1]"},
    {"post_sampling_probs", kGeneration, Use::neutral},
    {"return_tokens", kGeneration, Use::neutral},
    {"response_fields", kGeneration, Use::neutral},
    {"samplers", kGeneration, Use::neutral},
    {"lora", kGeneration, Use::neutral},
    {"reasoning_format", kChat, Use::neutral, R"(["none", "auto"])"},
    {"thinking_forced_open", kChat, Use::neutral},
    {"embd_normalize", kEmbeddings, Use::neutral, "[2]"},
};

constexpr Field kStreamOptions[] = {
    {"include_usage", kGeneration, Use::effect},
    {"include_usage", kResponses, Use::harmless},            // it always is
    {"include_obfuscation", kText, Use::harmless},           // padding against listeners who count bytes
    {"continuous_usage_stats", kGeneration, Use::harmless},  // the usage comes once, at the end
};

constexpr Field kOwnOptions[] = {{"level", kEngine, Use::effect}};

constexpr Field kTextOptions[] = {{"format", kResponses, Use::effect},
                                  {"verbosity", kResponses, Use::neutral, R"(["medium"])"}};

constexpr Field kReasoningOptions[] = {
    {"effort", kResponses, Use::effect},
    {"summary", kResponses, Use::harmless},  // of what no answer has
    {"generate_summary", kResponses, Use::harmless},
    {"context", kResponses, Use::harmless},
    {"mode", kResponses, Use::neutral, R"(["standard"])"},
};

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
    case Endpoint::embeddings:
      return "/v1/embeddings";
    case Endpoint::responses:
      return "/v1/responses";
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

void check_stream_options(const Json& options, Endpoint endpoint) {
  check_names(options, kStreamOptions, static_cast<int>(endpoint), "\"stream_options\"", "stream_options.");
}

void check_own_options(const Json& options) {
  check_names(options, kOwnOptions, kEngine, "\"layerboost\"", "layerboost.");
}

void check_text_options(const Json& options) { check_names(options, kTextOptions, kResponses, "\"text\"", "text."); }

void check_reasoning_options(const Json& options) {
  check_names(options, kReasoningOptions, kResponses, "\"reasoning\"", "reasoning.");
}

}  // namespace layerboost
