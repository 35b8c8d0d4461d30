// Regular expressions of tokenizer files: written for Oniguruma, as Hugging Face's tokenizers have them, run by PCRE2.
#pragma once

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace layerboost {

/// One expression, compiled. Immutable; safe to use from several threads, each with its own MatchData.
class Regex {
 public:
  struct FreeMatchData {
    void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
  };
  using MatchData = std::unique_ptr<pcre2_match_data, FreeMatchData>;

  struct Options {
    bool anchored = false;  // find() looks at `start` alone
    bool jit = true;        // compile to machine code where the system allows it (else several times slower)
    bool limited = true;    // give up where a search takes millions of steps at one place, or 64 MiB; false: for
                            // patterns known to be linear
  };

  struct Match {
    std::size_t begin = 0, end = 0;
  };

  /// `pattern` in Oniguruma's syntax. Throws Error naming it where it can't be compiled.
  Regex(std::string_view pattern, const Options& options);

  /// What a thread needs for find().
  static MatchData make_match_data();

  /// The first match in `text` (valid UTF-8) at or after `start`, where a character begins; a lookbehind sees what is
  /// before it. `additions`: whether `text` may have any of unicode_additions(). Throws Error for a search beyond the
  /// limit.
  [[nodiscard]] std::optional<Match> find(std::string_view text, std::size_t start, pcre2_match_data* data,
                                          bool additions = true) const;

 private:
  struct FreeCode {
    void operator()(pcre2_code* code) const { pcre2_code_free(code); }
  };
  struct FreeMatchContext {
    void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
  };
  std::unique_ptr<pcre2_code, FreeCode> code_;
  std::unique_ptr<pcre2_code, FreeCode> plain_code_;  // for texts without unicode_additions(), where it differs
  std::unique_ptr<pcre2_match_context, FreeMatchContext> context_;
};

}  // namespace layerboost
