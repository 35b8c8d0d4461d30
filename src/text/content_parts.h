// Whether a chat template wants the content of messages as a text or as a list of parts.
#pragma once

#include "jinja/ast.h"

namespace layerboost {

/// Whether a template goes through the parts of a message's content by itself, as vLLM finds it out ("openai" format,
/// else "string"): somewhere it has a loop over `content` of something, or takes its items by filter or number as
/// objects with a type or text; perhaps after assigning it to a variable or giving it to a macro. What it makes of the
/// content first may choose among its items (`content | selectattr(...)`), but going through a text's lines
/// (`content.split(...)`) is no such loop.
bool reads_content_parts(const jinja::Body& body);

}  // namespace layerboost
