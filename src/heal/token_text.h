// Text as token ids, made once and kept in the cache.
#pragma once

#include <span>
#include <string>

#include "base/file.h"
#include "model/model.h"

namespace layerboost {

/// The tokens of a text file, mapped.
struct TokenText {
  MappedFile file;
  std::span<const TokenId> tokens;  // in `file`
  std::string hash;                 // "sha256:<64 hex digits>" of the text file's bytes
};

/// Tokens of `path`: JSON Lines (a name ending in .jsonl) give their `text` fields, each followed by one newline; any
/// other file is plain UTF-8. Read piece by piece, tokenised on all threads the first time, and kept as
/// cache_dir()/tokens/HASH.bin (the ids, four bytes each, sealed), by the hashes of text and model; damaged ones are
/// made again. Throws Error naming file and line for text that is absent, empty or not UTF-8, for a token that the
/// model has no embedding of, and Interrupted.
TokenText read_token_text(const Model& model, const fs::path& path);

}  // namespace layerboost
