// What Hugging Face's own tools keep on this machine: the models that they fetched, and the token that they send.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/file.h"

namespace layerboost {

/// $HF_TOKEN, else what their login left in $HF_TOKEN_PATH or $HF_HOME/token, without the blanks around it; empty:
/// none. Throws Error when the file is there and can't be read.
std::string hugging_face_token();

/// Their cache: $HF_HUB_CACHE, else $HF_HOME/hub, else ~/.cache/huggingface/hub; not necessarily existing.
fs::path hugging_face_cache();

/// Whether the folder is a model's in such a cache: models--ORG--NAME with its snapshots.
bool is_hugging_face_folder(const fs::path& folder);

/// The files of such a folder: the revision that "main" names, else the only one that is there. Throws Error when there
/// is none, or several without a main one.
fs::path hugging_face_snapshot(const fs::path& folder);

/// The folder of the model NAME or ORG/NAME in the cache; nothing when it isn't there.
std::optional<fs::path> find_hugging_face_folder(const std::string& name);

/// The names of all models in the cache, sorted.
std::vector<std::string> hugging_face_models();

}  // namespace layerboost
