#include "plan/measured_plans.h"

#include <utility>

#include "artifact/json_layout.h"
#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "base/sealed_file.h"

namespace layerboost {
namespace {

std::string written(const std::vector<MixerSpec>& specs) {
  std::string text;
  for (const MixerSpec& spec : specs) text += (text.empty() ? "" : " ") + to_string(spec);
  return text;
}

}  // namespace

MeasuredPlans::MeasuredPlans(fs::path path, std::string key, MeasurePlan measure)
    : path_(std::move(path)), key_(std::move(key)), measure_(std::move(measure)) {
  if (!fs::exists(path_)) return;
  try {
    const std::string where = path_.string();
    const Json json = read_json(path_);
    if (!is_sealed(json)) fail("{}: damaged, or of an earlier version", where);
    if (get<std::string>(json, "key", where) != key_) return;
    for (const Json& plan : get<std::vector<Json>>(json, "plans", where))
      known_[get<std::string>(plan, "mixers", where)] = {get<double>(plan, "text", where),
                                                         get<double>(plan, "retrieval", where)};
  } catch (const Error& error) {
    warn("{}; measured again", error.what());
    known_.clear();
  }
}

JointLossValue MeasuredPlans::operator()(const std::vector<MixerSpec>& specs) {
  const std::string name = written(specs);
  if (const auto it = known_.find(name); it != known_.end()) return it->second;
  const JointLossValue value = measure_(specs);
  known_[name] = value;
  save();
  return value;
}

void MeasuredPlans::save() const {
  Json json = {{"key", key_}, {"plans", Json::array()}};
  for (const auto& [name, value] : known_)
    json["plans"].push_back({{"mixers", name}, {"text", value.text}, {"retrieval", value.retrieval}});
  write_file(path_, layout_lines(sealed_json(std::move(json))));
}

}  // namespace layerboost
