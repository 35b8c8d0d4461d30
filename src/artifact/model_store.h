// Where models are: what a MODEL argument names.
#pragma once

#include <string>

#include "base/file.h"

namespace layerboost {

/// The name of the model that scripts/get-model.sh fetches.
inline constexpr const char* default_model = "smollm2-135m";

/// The GGUF file or model directory that `model` names: a path to a *.gguf file, to a directory with config.json or to
/// a model's folder in the cache of Hugging Face's tools; "smollm2-135m", the default model, in the cache; or ORG/NAME,
/// fetched by `layerboost pull` or by those tools (a directory, or its GGUF file when that is what was fetched). Throws
/// Error that says how to get the model when it isn't there, or which name was perhaps meant.
fs::path find_model(const std::string& model);

/// The same of names alone, whatever files there are of this name.
fs::path find_cached_model(const std::string& name);

/// Where the healed models are that come with the program: models/ of data_directory().
fs::path models_directory();

/// `model`, or what it means of what comes with the program: "models/NAME", where there is nothing of this name here,
/// is the folder NAME of models_directory(), so that it is the same word in the source's folder and where the program
/// is installed; "smollm2-135m:VARIANT" is the folder smollm2-135m-VARIANT there; and "smollm2-135m:base" the default
/// model in the cache. Throws Error for a variant that isn't there.
std::string shipped_or_given(const std::string& model);

/// The same where a model is to be run as it comes: "smollm2-135m", where there is nothing of this name here, is then
/// the healed model of this name, if it came with the program.
std::string as_it_comes(const std::string& model);

/// The same where a model is to be run at a level of its ladder: "smollm2-135m", where there is nothing of this name
/// here, is then "smollm2-135m:ladder", if that came with the program.
std::string with_its_ladder(const std::string& model);

/// The name under which find_cached_model() finds what a MODEL argument named: "smollm2-135m" of "smollm2-135m:base",
/// else `model`.
std::string base_name(const std::string& model);

/// The folder in the cache where `layerboost pull` puts ORG/NAME. Throws Error when `name` isn't of that form.
fs::path store_path(const std::string& name);

}  // namespace layerboost
