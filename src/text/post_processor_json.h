// The "post_processor" of a tokenizer.json: what comes before a text.
#pragma once

#include <string_view>

#include "base/json.h"
#include "text/tokenizer.h"

namespace layerboost {

/// Fills `add_bos` and `text_start` of `data` by what TemplateProcessing, RobertaProcessing or BertProcessing, or the
/// one of them in a sequence, puts before a single text. What they put behind it doesn't count, and neither do settings
/// such as "add_bos_token". Throws Error, beginning with `where`, for more than one token before a text, for other
/// kinds, and for several that add tokens.
void read_post_processor(const Json& post_processor, TokenizerData& data, std::string_view where);

}  // namespace layerboost
