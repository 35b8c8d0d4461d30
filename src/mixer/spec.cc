#include "mixer/spec.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "base/error.h"
#include "base/in_quotes.h"
#include "mixer/descriptor.h"

namespace layerboost {
namespace {

constexpr std::string_view full_heads_mark = "/full:";

/// Reads a whole number at the front of `text` and takes it away; -1 if there is none.
int take_number(std::string_view& text) {
  int value = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || value < 0 || value > largest_spec_number) return -1;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

/// The same with heads, "0,2"; none where there are no such.
HeadSet take_heads(std::string_view& text) {
  HeadSet heads = 0;
  do {
    const int head = take_number(text);
    if (head < 0 || head >= head_set_size || has_head(heads, head)) return 0;
    heads |= set_of_head(head);
    if (!text.starts_with(',')) return heads;
    text.remove_prefix(1);
  } while (true);
}

/// "x+norm"
VariantSet take_variants(MixerKind kind, std::string_view text) {
  std::vector<std::string> names;
  while (true) {
    const std::size_t end = text.find('+');
    names.emplace_back(text.substr(0, end));
    if (end == std::string_view::npos) return variants_of(kind, names);
    text.remove_prefix(end + 1);
  }
}

/// The names of the kinds that are `wanted`, as a list for people.
template <typename Wanted>
std::string listed(const Wanted& wanted, std::string_view last) {
  std::vector<const char*> names;
  for (const MixerDescriptor* kind : mixer_descriptors())
    if (wanted(*kind)) names.push_back(kind->name);
  const char* const end = names.back();
  names.pop_back();
  return names.empty() ? end : fmt::format("{} {} {}", fmt::join(names, ", "), last, end);
}

}  // namespace

bool has_field(MixerKind kind, const SpecField& field) {
  const std::span<const SpecField> fields = descriptor_of(kind).fields;
  return std::any_of(fields.begin(), fields.end(), [&](const SpecField& own) { return own.value == field.value; });
}

std::vector<std::string> variant_names(const MixerSpec& spec) {
  std::vector<std::string> names;
  const std::span<const char* const> all = descriptor_of(spec.kind).variants;
  for (std::size_t i = 0; i < all.size(); ++i)
    if ((spec.variants >> i & 1) != 0) names.emplace_back(all[i]);
  return names;
}

VariantSet variants_of(MixerKind kind, std::span<const std::string> names) {
  const std::span<const char* const> all = descriptor_of(kind).variants;
  VariantSet variants = 0;
  for (const std::string& name : names) {
    const auto found = std::ranges::find(all, name);
    if (found == all.end())
      fail("{} has no variant {}; there are: {}", name_of(kind), in_quotes(name), fmt::join(all, ", "));
    const auto bit = static_cast<VariantSet>(1U << (found - all.begin()));
    if ((variants & bit) != 0) fail("{}: the variant {} is named twice", name_of(kind), name);
    variants = static_cast<VariantSet>(variants | bit);
  }
  return variants;
}

bool has_attention(MixerKind kind) { return descriptor_of(kind).weights == AttentionParts::all; }

bool sees_everything(MixerKind kind) { return descriptor_of(kind).cost.positions == all_positions; }

bool removes_attention(MixerKind kind) { return descriptor_of(kind).weights == AttentionParts::none; }

bool must_be_trained(MixerKind kind) {
  const MixerDescriptor& descriptor = descriptor_of(kind);
  return descriptor.fitted_map || (descriptor.parameter_shapes != nullptr && !descriptor.replacement);
}

bool has_full_heads(MixerKind kind) { return descriptor_of(kind).full_heads; }

std::vector<int> heads_of(HeadSet heads) {
  std::vector<int> list;
  for (int head = 0; head < head_set_size; ++head)
    if (has_head(heads, head)) list.push_back(head);
  return list;
}

const char* name_of(MixerKind kind) { return descriptor_of(kind).name; }

std::string kinds_with(const SpecField& field, std::string_view last) {
  return listed([&](const MixerDescriptor& kind) { return has_field(kind.kind, field); }, last);
}

std::string kinds_with_full_heads() {
  return listed([](const MixerDescriptor& kind) { return kind.full_heads; }, "or");
}

std::string to_string(const MixerSpec& spec) {
  std::string text = name_of(spec.kind);
  for (const SpecField& field : descriptor_of(spec.kind).fields)
    if (field.least > 0 || spec.*field.value > 0) text += fmt::format("{}{}", field.mark, spec.*field.value);
  if (spec.variants != 0) text += fmt::format(":{}", fmt::join(variant_names(spec), "+"));
  if (spec.full != 0) text += fmt::format("{}{}", full_heads_mark, fmt::join(heads_of(spec.full), ","));
  return text;
}

MixerSpec parse_mixer(std::string_view text) {
  std::string_view rest = text.substr(std::min(text.find(':'), text.size()));
  if (const MixerDescriptor* const kind = find_kind(text.substr(0, text.size() - rest.size()))) {
    MixerSpec spec{.kind = kind->kind};
    bool valid = true;
    for (const SpecField& field : kind->fields) {
      if (rest.starts_with(field.mark)) {
        rest.remove_prefix(1);
        spec.*field.value = take_number(rest);
      }
      valid = valid && spec.*field.value >= field.least;
    }
    if (!kind->variants.empty() && rest.starts_with(':')) {
      spec.variants = take_variants(kind->kind, rest.substr(1));
      rest = {};
    }
    if (kind->full_heads && rest.starts_with(full_heads_mark)) {
      rest.remove_prefix(full_heads_mark.size());
      spec.full = take_heads(rest);
      valid = valid && spec.full != 0;
    }
    if (valid && rest.empty()) return spec;
  }
  std::vector<const char*> allowed;
  for (const MixerDescriptor* kind : mixer_descriptors()) allowed.push_back(kind->grammar);
  fail("unknown mixer \"{}\"; allowed: {}", text, fmt::join(allowed, ", "));
}

}  // namespace layerboost
