#include "plan/frontier.h"

#include <algorithm>
#include <cmath>
#include <numbers>

#include "artifact/json_layout.h"
#include "base/error.h"
#include "mixer/mixers.h"

namespace layerboost {
namespace {

FrontierPoint make_point(const Planner& planner, std::vector<MixerSpec> specs, const CostModel* cost,
                         const SpeedTarget& speed) {
  FrontierPoint point;
  point.loss = planner.loss(specs);
  point.kv_fraction = planner.kv_fraction(specs);
  point.kv_bytes_per_token = static_cast<double>(planner.kv_bytes(specs)) / planner.context();
  if (cost != nullptr)
    point.speedup = cost->step_seconds(native_specs(planner.config()), speed.batch, speed.context) /
                    cost->step_seconds(specs, speed.batch, speed.context);
  point.specs = std::move(specs);
  return point;
}

/// A share of memory with four digits after the point, which is what people are shown, that leaves the point its room.
double rounded_up(double fraction) { return std::min(1.0, std::ceil(fraction * 1e4) / 1e4); }

}  // namespace

std::vector<FrontierPoint> frontier(const Planner& planner, const Budget& budget, const CostModel* cost,
                                    const SpeedTarget& speed, int most) {
  LB_CHECK(most >= 2);
  const std::vector<PlanChoice> curve = planner.curve(budget);
  const double low = std::sqrt(planner.kv_fraction(curve.front().specs));
  const double high = std::sqrt(planner.kv_fraction(curve.back().specs));
  std::vector<FrontierPoint> points = {make_point(planner, curve.back().specs, cost, speed)};
  int last_slot = most - 1;
  for (auto choice = curve.rbegin() + 1; choice != curve.rend(); ++choice) {
    const double x = std::sqrt(planner.kv_fraction(choice->specs));
    const int slot = high > low ? static_cast<int>((x - low) / (high - low) * (most - 1)) : 0;
    if (slot == last_slot && choice + 1 != curve.rend()) continue;
    last_slot = slot;
    points.push_back(make_point(planner, choice->specs, cost, speed));
  }
  return points;
}

PlanChoice knee(const Planner& planner, const std::vector<PlanChoice>& curve) {
  LB_CHECK(!curve.empty());
  const double ceiling = planner.rule().measure == "task" ? std::numeric_limits<double>::infinity() : std::numbers::ln2;
  auto first = std::find_if(curve.begin(), curve.end(), [&](const PlanChoice& c) { return c.loss <= ceiling; });
  if (first == curve.end()) return curve.back();
  const auto memory = [&](const PlanChoice& c) { return planner.kv_fraction(c.specs); };
  const double x0 = memory(*first), x1 = memory(curve.back());
  const double y0 = first->loss, y1 = curve.back().loss;
  const PlanChoice* best = &curve.back();
  double farthest = 0;
  for (auto c = first; c != curve.end(); ++c) {
    if (x1 <= x0 || y0 <= y1) break;  // a single point
    const double below = 1 - (memory(*c) - x0) / (x1 - x0) - (c->loss - y1) / (y0 - y1);
    if (below <= farthest) continue;
    farthest = below;
    best = &*c;
  }
  return *best;
}

Json frontier_json(const std::vector<FrontierPoint>& points, const Planner& planner,
                   const std::vector<MixerSpec>& chosen, const PointCommand& command, const CostModel* cost,
                   const SpeedTarget& speed) {
  std::vector<FrontierPoint> all = points;
  if (std::none_of(all.begin(), all.end(), [&](const FrontierPoint& p) { return p.specs == chosen; })) {
    FrontierPoint point = make_point(planner, chosen, cost, speed);
    const auto place =
        std::find_if(all.begin(), all.end(), [&](const FrontierPoint& p) { return p.kv_fraction < point.kv_fraction; });
    all.insert(place, std::move(point));
  }
  Json json = {{"points", Json::array()}, {"context", planner.context()}};
  if (cost != nullptr) json["batch"] = speed.batch;
  for (const FrontierPoint& point : all) {
    Json item = {{"layers", Json::array()}, {"loss", rounded(point.loss, 5)}};
    for (const MixerSpec& spec : point.specs) item["layers"].push_back(to_string(spec));
    item["kv_fraction"] = rounded(point.kv_fraction, 5);
    item["kv_bytes_per_token"] = rounded(point.kv_bytes_per_token, 5);
    if (point.speedup) item["speedup"] = rounded(*point.speedup, 4);
    item["chosen"] = point.specs == chosen;
    if (command) item["command"] = command(rounded_up(point.kv_fraction));
    json["points"].push_back(std::move(item));
  }
  return json;
}

}  // namespace layerboost
