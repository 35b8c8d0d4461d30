// JSON Schema as a grammar: every text that fits is JSON, and valid.
#pragma once

#include "base/json.h"
#include "grammar/grammar.h"

namespace layerboost {

/// Adds ways from `from` that spell JSON which `schema` allows; returns where they end. Not all that it allows: members
/// come in the order of "properties"; where these are given, others come only if "additionalProperties" asks for them;
/// without "type" a value is of the types that the keywords are about. docs/structured.md lists keywords. Throws Error,
/// naming the keyword and where it is, for one that isn't supported or makes no sense.
int add_schema(Grammar& grammar, int from, const Json& schema);

}  // namespace layerboost
