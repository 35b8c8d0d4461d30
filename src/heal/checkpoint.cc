#include "heal/checkpoint.h"

#include <array>
#include <cstring>
#include <utility>

#include "artifact/healed_directory.h"
#include "base/error.h"
#include "base/sealed_file.h"

namespace layerboost {
namespace {

constexpr std::string_view magic = "LBHEAL2\n", older_magic = "LBHEAL1\n";

void refuse_other_run(const Json& found, const Json& wanted, const fs::path& path) {
  const std::string directory = path.parent_path().parent_path().string();
  for (const auto& [key, value] : wanted.items()) {
    const Json before = found.contains(key) ? found[key] : Json();
    if (before != value)
      fail("{} holds a run with {} {}, not {}: give the same, or another `output`", directory, key, before.dump(),
           value.dump());
  }
}

[[noreturn]] void refuse(const fs::path& path, const char* what) {
  fail("checkpoint {} {}: remove it and {} to begin again from the first step", path.string(), what,
       healed_file(path.parent_path().parent_path()).string());
}

std::string_view bytes_of(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

/// The vectors of a state, in the order in which they lie in the file.
template <typename State>
auto parts_of(State& state) {
  return std::array{&state.x, &state.m, &state.v, &state.best_x};
}

/// Magic, the size of what describes it, that as JSON; the parameters and moments follow.
std::string head_of(const Json& identity, const TrainState& state) {
  const Json header = {{"identity", identity},
                       {"step", state.step},
                       {"measured_step", state.measured_step},
                       {"parameters", state.x.size()},
                       {"first_loss", state.first_loss},
                       {"recent_loss", state.recent_loss},
                       {"before", state.before.to_json()},
                       {"best", state.best.to_json()},
                       {"best_step", state.best_step},
                       {"best_apart", !state.best_x.empty()},
                       {"seconds", state.seconds}};
  const std::string text = header.dump();
  const std::uint64_t size = text.size();
  std::string head(magic);
  head.append(reinterpret_cast<const char*>(&size), sizeof size);
  return head + text;
}

}  // namespace

std::string checkpoint_bytes(const Json& identity, const TrainState& state) {
  std::string bytes = head_of(identity, state);
  for (const std::vector<float>* part : parts_of(state)) bytes += bytes_of(*part);
  return sealed(std::move(bytes));
}

void write_checkpoint(const fs::path& path, const Json& identity, const TrainState& state) {
  SealedWriter writer(path);
  writer.write(head_of(identity, state));
  for (const std::vector<float>* part : parts_of(state)) writer.write(bytes_of(*part));
  writer.finish();
}

TrainState checkpoint_from_bytes(std::string_view file, const Json& identity, const fs::path& path) {
  const std::string where = path.string();
  if (file.starts_with(older_magic)) refuse(path, "is of an earlier version of layerboost");
  const auto check = [&](bool good) {
    if (!good) refuse(path, "is damaged");
  };
  const std::optional<std::string_view> content = unsealed(file);
  check(content.has_value());
  const std::string_view bytes = *content;
  std::uint64_t size = 0;
  const std::size_t begin = magic.size() + sizeof size;
  check(bytes.size() >= begin && bytes.starts_with(magic));
  std::memcpy(&size, bytes.data() + magic.size(), sizeof size);
  check(size <= bytes.size() - begin);
  const Json header = parse_json(bytes.substr(begin, size), where);
  refuse_other_run(get<Json>(header, "identity", where), identity, path);

  TrainState state;
  state.step = get<std::int64_t>(header, "step", where);
  state.measured_step = get<std::int64_t>(header, "measured_step", where);
  state.first_loss = get<double>(header, "first_loss", where);
  state.recent_loss = get<double>(header, "recent_loss", where);
  state.before = held_out_from_json(get<Json>(header, "before", where), where);
  state.best = held_out_from_json(get<Json>(header, "best", where), where);
  state.best_step = get<std::int64_t>(header, "best_step", where);
  state.seconds = get<double>(header, "seconds", where);
  const auto count = get<std::uint64_t>(header, "parameters", where);
  const std::uint64_t parts = get<bool>(header, "best_apart", where) ? 4 : 3;
  const std::size_t rest = bytes.size() - begin - size;
  check(count <= rest / sizeof(float) && rest == parts * count * sizeof(float));
  const char* data = bytes.data() + begin + size;
  for (std::vector<float>* part : parts_of(state)) {
    if (part == &state.best_x && parts == 3) break;
    part->resize(count);
    std::memcpy(part->data(), data, count * sizeof(float));
    data += count * sizeof(float);
  }
  return state;
}

std::optional<TrainState> read_checkpoint(const fs::path& path, const Json& identity) {
  if (!fs::exists(path)) return std::nullopt;
  return checkpoint_from_bytes(read_file(path), identity, path);
}

}  // namespace layerboost
